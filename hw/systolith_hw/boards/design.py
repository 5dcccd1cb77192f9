"""What goes onto a board: its clock, the board's top, and the pins."""

from amaranth.hdl import ClockDomain, ClockSignal, Elaboratable, Module, Signal
from amaranth.lib import io
from amaranth.lib.cdc import ResetSynchronizer

from systolith_hw.board.sdram import SdramPads
from systolith_hw.board.top import BoardTop

__all__ = ["BoardDesign"]


class BoardDesign(Elaboratable):
    """The board's top behind a PLL, with its reset until the clock is stable.

    Parameters
    ----------
    board : Board
    config : ArrayConfig
    pll : Pll
        Makes its clock.
    baud : int

    Raises
    ------
    ValueError
        If the SDRAM cannot have it.
    """

    def __init__(self, board, config, *, pll, baud):
        self._vendor = board.vendor
        self._sdram = board.sdram
        self._pll = pll
        self.clock_hz = round(pll.output_hz)
        """The clock that is made, rounded to a whole number."""
        self._memory = board.memory(data_bits=config.axi_data_bits, clock_hz=self.clock_hz)
        self.top = BoardTop(
            config,
            memory=self._memory,
            clock_hz=self.clock_hz,
            baud=baud,
            queue_bytes=board.queue_bytes,
            bus_registers=board.bus_registers,
            lowering=board.vendor.lowering,
        )

    def elaborate(self, platform):
        m = Module()
        m.domains.sync = ClockDomain()
        clock_pin = platform.request(platform.default_clk, dir="-")
        if self._vendor.pll_at_pad:
            clock_in = clock_pin.io
        else:
            m.submodules.clock_buffer = buffer = io.Buffer("i", clock_pin)
            clock_in = buffer.i
        locked = Signal()
        clock = Signal()
        lagging = self._connect_sdram(m, platform) if self._sdram else {}
        cells = self._pll.instances(clock_in=clock_in, clock_out=clock, locked=locked, **lagging)
        for number, cell in enumerate(cells):
            m.submodules[f"pll_{number}"] = cell
        m.d.comb += ClockSignal().eq(clock)
        m.submodules.reset = ResetSynchronizer(~locked)

        m.submodules.board = top = self.top
        uart = platform.request("uart", 0, dir="-")
        m.submodules.rx = rx = io.Buffer("i", uart.rx)
        m.submodules.tx = tx = io.Buffer("o", uart.tx)
        m.d.comb += [top.rx.eq(rx.i), tx.o.eq(top.tx)]
        for number in range(len(top.leds)):
            m.submodules[f"led_{number}"] = led = io.Buffer("o", platform.request("led", number, dir="-"))
            m.d.comb += led.o.eq(top.leds[number])
        return m

    def _connect_sdram(self, m, platform):
        """The SDRAM's pads; what the PLL must be told of its clock."""
        clock = Signal()
        port = platform.request("sdram", dir="-")
        m.submodules.sdram_pads = SdramPads(port, self._memory.pins, clock=clock)
        return {"lagging": clock, "lag_ns": self._sdram.clock_lag_ns(self.clock_hz)}
