"""A first-in first-out queue between two streams."""

from amaranth.hdl import Module, Shape, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.wiring import In, Out

__all__ = ["Queue"]


class Queue(wiring.Component):
    """Stream queue in a memory, or in a register if it is one word deep.

    Parameters
    ----------
    shape : ShapeLike
        Of the payload.
    depth : int
        One word deep, it takes a word every third cycle.

    Members
    -------
    i, o : stream of shape
        Back-pressure is honoured.

    Latency
    -------
    ``LATENCY`` cycles through an empty queue.
    """

    LATENCY = 2

    def __init__(self, shape, *, depth):
        self._shape = shape
        self._depth = depth
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))})

    def elaborate(self, platform):
        m = Module()
        m.submodules.fifo = fifo = SyncFIFOBuffered(width=Shape.cast(self._shape).width, depth=self._depth)
        m.d.comb += [
            fifo.w_data.eq(self.i.payload),
            fifo.w_en.eq(self.i.valid),
            self.i.ready.eq(fifo.w_rdy),
            self.o.payload.eq(fifo.r_data),
            fifo.r_en.eq(self.o.valid & self.o.ready),
        ]
        if self._depth > 1:
            m.d.comb += self.o.valid.eq(fifo.r_rdy)
        else:
            # As late as out of a memory.
            held = Signal()
            m.d.sync += held.eq(fifo.r_rdy & ~fifo.r_en)
            m.d.comb += self.o.valid.eq(fifo.r_rdy & held)
        return m
