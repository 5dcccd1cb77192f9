"""What a board is."""

import dataclasses
import re
from collections.abc import Callable

from systolith_hw.board.sdram import SdramChip, SdramMemory
from systolith_hw.config import ArrayConfig
from systolith_hw.link import QUEUE_BYTES
from systolith_hw.vendor import Vendor

__all__ = ["Board"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Board:
    """A board: what is on it, and what is built for it unless told otherwise.

    Parameters
    ----------
    name : str
    part : str
        The FPGA.
    platform : callable
        Makes Amaranth's platform.
    vendor : Vendor
    flow : str
        The tools that make its bitstream, see :mod:`.flow`.
    device : str
        The part as those tools name it.
    clock_in_hz : int
        The board's oscillator.
    clock_hz : int
        The clock that the PLL makes of it.
    memory_bytes : int
        Device memory.
    array : ArrayConfig
    baud : int
        Of the serial link.
    link : str
        What the link is on this board.
    capacity : dict of str to int
        What the part has, by the resource names of the flow.
    loader : str
        The board's name in openFPGALoader.
    sdram : SdramChip or None
        The device memory beside the FPGA; None: it is on the chip.
    seed : int
        Where placing begins: one with which the board's own array reaches its clock.
    queue_bytes, bus_registers
        As for :class:`~systolith_hw.board.BoardTop`: a small part does with less.
    """

    name: str
    part: str
    platform: Callable
    vendor: Vendor
    flow: str
    device: str
    clock_in_hz: int
    clock_hz: int
    memory_bytes: int
    array: ArrayConfig
    baud: int
    link: str
    capacity: dict
    loader: str
    sdram: SdramChip | None = None
    seed: int = 1
    queue_bytes: int = QUEUE_BYTES
    bus_registers: bool = True

    def memory(self, *, data_bits, clock_hz):
        """The device memory, as an AXI4 subordinate.

        Parameters
        ----------
        data_bits, clock_hz : int

        Raises
        ------
        ValueError
            If the clock is not one for it.
        """
        if self.sdram is None:
            return self.vendor.ram(memory_bytes=self.memory_bytes, data_bits=data_bits)
        return SdramMemory(self.sdram, data_bits=data_bits, clock_hz=clock_hz)

    def config(self, text=None):
        """A configuration for this board; what the text leaves open is as in its default.

        Parameters
        ----------
        text : str or None
            As for :meth:`~systolith_hw.config.ArrayConfig.parse`.

        Raises
        ------
        ValueError
            If the text is no configuration.
        """
        if text is None:
            return self.array
        given = ArrayConfig.parse(text, **_ROOMY)
        named = {re.sub("[0-9]", "", part) for part in text.split("-")[1:]}
        parts = {re.sub("[0-9]", "", part): part for part in str(self.array).split("-")[1:]}
        if given.rows != self.array.rows:
            del parts["axi"]
        lanes = min(given.columns, self.array.epilogue_lanes) if given.lane_cycles == 1 else 1
        parts["e"] = f"e{lanes}"
        parts["tc"] = f"tc{min(given.columns, self.array.tile_columns)}"
        if "e" in named and given.epilogue_lanes > 1:
            parts.pop("lc", None)
        rest = [part for prefix, part in parts.items() if prefix not in named | {"b"}]
        if "b" in named:
            return ArrayConfig.parse("-".join([text, *rest]))
        # As many lines as the board's default has, or as this array needs.
        roomy = ArrayConfig.parse("-".join([text, *rest]), **_ROOMY)
        lines = max(self.array.b_buffer_lines, 2 * roomy.panel_lines)
        return dataclasses.replace(roomy, b_buffer_lines=lines)


_ROOMY = {"b_buffer_lines": 16384}
