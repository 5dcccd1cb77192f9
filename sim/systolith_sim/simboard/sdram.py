"""Device memory in a simulated SDRAM."""

import math

from amaranth.hdl import ClockSignal, Instance, Module
from amaranth.lib import wiring
from systolith_hw.board.sdram import OPEN_MIN_CYCLES, SdramMemory, SdramPads, SdramPins

__all__ = ["SimulatedSdram"]

POSTPONED_MAX = 8
"""Refreshes that JEDEC lets a controller be behind; at low clocks a reset by the host misses more."""


class SimulatedSdram(wiring.Component):
    """A controller, registers as in the pads, and the chip.

    Parameters
    ----------
    chip : SdramChip
    data_bits, clock_hz : int
        As for :class:`systolith_hw.board.sdram.SdramMemory`.

    Members
    -------
    s_axi_*
        AXI4.
    """

    def __init__(self, chip, *, data_bits, clock_hz):
        self._chip = chip
        self._open_cycles_max = chip.open_max_ns * clock_hz // 10**9
        self._refresh_cycles = math.ceil(chip.refresh_interval_ns * clock_hz / 1e9)
        self._owed_max = max(POSTPONED_MAX, OPEN_MIN_CYCLES // self._refresh_cycles)
        self._controller = SdramMemory(chip, data_bits=data_bits, clock_hz=clock_hz)
        self.memory_bytes = chip.memory_bytes
        members = self._controller.signature.members
        super().__init__({name: member for name, member in members.items() if name.startswith("s_axi_")})

    def elaborate(self, platform):
        m = Module()
        m.submodules.controller = controller = self._controller
        for name, member in self.signature.members.items():
            ours, theirs = getattr(self, name), getattr(controller, name)
            m.d.comb += ours.eq(theirs) if member.flow is wiring.Out else theirs.eq(ours)
        pads = SdramPins(self._chip).create()
        driven = pads.dq_i
        for name in (*SdramPads.OUTPUTS, "dq_o"):
            m.d.sync += getattr(pads, name).eq(getattr(controller.pins, name))
        m.d.sync += controller.pins.dq_i.eq(driven)
        m.submodules.chip = Instance(
            "sdram_chip",
            p_BANK_BITS=self._chip.bank_bits,
            p_ROW_BITS=self._chip.row_bits,
            p_COLUMN_BITS=self._chip.column_bits,
            p_CAS_LATENCY=self._chip.cas_latency,
            p_OPEN_CYCLES_MAX=self._open_cycles_max,
            p_REFRESH_CYCLES=self._refresh_cycles,
            p_REFRESHES_OWED_MAX=self._owed_max,
            i_clk=ClockSignal(),
            **{f"i_{name}": getattr(pads, name) for name in (*SdramPads.OUTPUTS, "dq_o")},
            o_dq_i=driven,
        )
        return m
