"""The registers in the pads between a controller and its SDRAM."""

from amaranth.hdl import Elaboratable, Module
from amaranth.lib import io

__all__ = ["SdramPads"]


class SdramPads(Elaboratable):
    """A register in every pad but the clock's.

    Parameters
    ----------
    port : PortGroup
        Of the platform's resource ``sdram``, with its directions open.
    pins : SdramPins
        The controller's.
    clock : Signal
        The chip's.
    """

    OUTPUTS = ("clk_en", "cs", "ras", "cas", "we", "ba", "a", "dqm")

    def __init__(self, port, pins, *, clock):
        self._port = port
        self._pins = pins
        self._clock = clock

    def elaborate(self, platform):
        m = Module()
        for name in self.OUTPUTS:
            m.submodules[name] = buffer = io.FFBuffer("o", getattr(self._port, name))
            m.d.comb += buffer.o.eq(getattr(self._pins, name))
        m.submodules.dq = dq = io.FFBuffer("io", self._port.dq)
        m.d.comb += [
            dq.o.eq(self._pins.dq_o),
            dq.oe.eq(self._pins.dq_oe),
            self._pins.dq_i.eq(dq.i),
        ]
        m.submodules.clk = clk = io.Buffer("o", self._port.clk)
        m.d.comb += clk.o.eq(self._clock)
        return m
