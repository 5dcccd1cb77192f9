"""The generic implementation: what any synthesis tool makes of plain logic."""

import dataclasses

from amaranth.hdl import Module

from .interface import Pll, Vendor, choose

__all__ = ["GENERIC", "NoPll", "no_pll"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class NoPll(Pll):
    """The board's clock itself."""

    output_hz: float

    def instances(self, *, clock_in, clock_out, locked):
        m = Module()
        m.d.comb += [clock_out.eq(clock_in), locked.eq(1)]
        return [m]


def no_pll(input_hz, output_hz):
    """The only clock there is.

    Raises
    ------
    ClockError
        If it is not the one that is wanted.
    """
    return choose([NoPll(output_hz=input_hz)], output_hz)


GENERIC = Vendor(name="generic", pll=no_pll)
"""No vendor's cells at all."""
