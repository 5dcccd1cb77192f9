"""What a simulated board is made of."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from systolith_hw import ArrayConfig
from systolith_hw.baud import DEFAULT_BAUD, bit_period
from systolith_hw.link import QUEUE_BYTES

if TYPE_CHECKING:
    from systolith_hw.board.sdram import SdramChip

__all__ = ["BoardSetup"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class BoardSetup:
    """The parameters of a :class:`systolith_hw.board.BoardTop`.

    Parameters
    ----------
    config : ArrayConfig
    memory_bytes : int
        On the chip: a multiple of 4096, at most 4 MiB. Not used if there is an SDRAM.
    baud : int
        Bits per second of the serial line.
    clock_hz : int or None
        The clock. ``None``: four cycles per bit, the fastest line that a board can have; a simulation spends
        most of its cycles on the line.
    sdram : SdramChip or None
        The device memory beside the FPGA. None: it is on the chip.
    part : str or None
        A board, or a family of parts, whose synthesized netlist runs. None: the design itself.
    queue_bytes : int
        Of requests that may be sent before the first is answered: a power of two.
    bus_registers : bool
        Whether there are registers on the way to the memory.

    Raises
    ------
    ValueError
        If the memory or the baud rate is out of range, or the clock is not one for the SDRAM; if a netlist
        is to have an SDRAM.
    """

    config: ArrayConfig
    memory_bytes: int = 1 << 16
    baud: int = DEFAULT_BAUD
    clock_hz: int | None = None
    sdram: SdramChip | None = None
    part: str | None = None
    queue_bytes: int = QUEUE_BYTES
    bus_registers: bool = True

    def __post_init__(self):
        if self.sdram is not None:
            object.__setattr__(self, "memory_bytes", self.sdram.memory_bytes)
        elif self.memory_bytes % BOUNDARY_BYTES or not 0 < self.memory_bytes <= MEMORY_MAX_BYTES:
            raise ValueError(
                f"memory_bytes of a simulated board must be a multiple of {BOUNDARY_BYTES} up to "
                f"{MEMORY_MAX_BYTES}, not {self.memory_bytes}"
            )
        if self.clock_hz is None:
            object.__setattr__(self, "clock_hz", 4 * self.baud)
        bit_period(self.clock_hz, self.baud)
        if self.sdram is not None:
            self.sdram.check_clock(self.clock_hz)
            if self.part is not None:
                raise ValueError("a simulated SDRAM is no part of a netlist: memory on the chip is needed")

    def __str__(self):
        netlist = "" if self.part is None else f", netlist for {self.part}"
        return f"{self.config}, {self.memory_bytes} bytes, {self.clock_hz} Hz, {self.baud} baud{netlist}"


BOUNDARY_BYTES = 4096
MEMORY_MAX_BYTES = 1 << 22
