"""Registers across a stream."""

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["StreamSlice"]


class StreamSlice(wiring.Component):
    """A stream with registers both ways, at full speed.

    Parameters
    ----------
    shape : ShapeLike

    Members
    -------
    i, o : stream of shape
        Back-pressure is honoured. A payload is taken once the last but one has left.

    Latency
    -------
    ``LATENCY`` cycle.
    """

    LATENCY = 1

    def __init__(self, shape):
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))})

    def elaborate(self, platform):
        m = Module()
        # What came in the cycle in which the stream stopped.
        aside = Signal.like(self.i.payload)
        full = Signal()
        stops = Signal()
        m.d.comb += [self.i.ready.eq(~full), stops.eq(self.o.valid & ~self.o.ready & ~full)]
        with m.If(stops):
            m.d.sync += [full.eq(self.i.valid), aside.eq(self.i.payload)]
        with m.If(~self.o.valid | self.o.ready):
            m.d.sync += [self.o.valid.eq(full | self.i.valid), full.eq(0)]
            with m.If(full):
                m.d.sync += self.o.payload.eq(aside)
            with m.Else():
                m.d.sync += self.o.payload.eq(self.i.payload)
        return m
