"""What a board's design needs of a family of parts."""

import abc
import dataclasses
from collections.abc import Callable

from systolith_hw.accelerator import STOCK, Lowering
from systolith_hw.board.ram import OnChipRam

__all__ = ["ClockError", "Pll", "Vendor", "choose"]

TOLERANCE = 1e-4
"""Relative: how far from the clock that was asked for the one that is made may be."""


class ClockError(ValueError):
    """A clock that the PLL cannot make."""


class Pll(abc.ABC):
    """A clock made of another, by one way of dividing and multiplying.

    Members
    -------
    output_hz : float
        What it makes.
    """

    output_hz: float

    @abc.abstractmethod
    def instances(self, *, clock_in, clock_out, locked):
        """The cells.

        That of a family of which a board has SDRAM also takes ``lagging``, a Signal for the same clock but
        later, and ``lag_ns``.

        Parameters
        ----------
        clock_in : IOPort or Value
            The board's clock: the port itself where the PLL sits at the pad.
        clock_out, locked : Signal
            The clock made, and whether it is stable.

        Returns
        -------
        list of Elaboratable
        """


@dataclasses.dataclass(frozen=True, kw_only=True)
class Vendor:
    """The parts of a design that differ from one family to the next.

    Parameters
    ----------
    name : str
    lowering : Lowering
        The accelerator with the family's multipliers; cycle for cycle that of the generic one.
    ram : type
        The device memory: :class:`~systolith_hw.board.ram.OnChipRam` or a subclass.
    pll : callable
        ``pll(input_hz, output_hz)`` returns a :class:`Pll`, or raises :class:`ClockError`.
    pll_at_pad : bool
        The PLL takes the clock from the pad, not from a buffer.
    multipliers_per_pair : int
        The multipliers of two processing elements, in units of the part's.
    multipliers_per_product : int
        Those of a product of up to 18 by 18 bits; 0: it is made of lookup tables.
    cells_per_lut : float
        Logic cells for each lookup table of an ECP5, about.
    """

    name: str
    pll: Callable
    lowering: Lowering = STOCK
    ram: type = OnChipRam
    pll_at_pad: bool = False
    multipliers_per_pair: int = 2
    multipliers_per_product: int = 1
    cells_per_lut: float = 1.0


def choose(candidates, output_hz):
    """Of the settings of a PLL the first whose clock is the one that is wanted.

    Parameters
    ----------
    candidates : iterable of Pll
        Best first among equals.
    output_hz : float

    Raises
    ------
    ClockError
        If there is none; names the nearest.
    """
    candidates = sorted(candidates, key=lambda pll: abs(pll.output_hz - output_hz))
    if candidates and abs(candidates[0].output_hz - output_hz) <= TOLERANCE * output_hz:
        return candidates[0]
    below = [pll.output_hz for pll in candidates if pll.output_hz < output_hz]
    above = [pll.output_hz for pll in candidates if pll.output_hz > output_hz]
    nearest = [*below[:1], *above[:1]]
    raise ClockError(
        f"a clock of {output_hz / 1e6:g} MHz cannot be made by the PLL; nearest "
        f"{'are' if len(nearest) > 1 else 'is'} {' and '.join(f'{hz / 1e6:.6g}' for hz in nearest)} MHz"
    )
