"""A first-in first-out queue between two streams."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import memory, stream, wiring
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
        put = Signal()
        free = Signal()
        m.d.comb += [
            put.eq(self.i.valid & self.i.ready),
            free.eq(~self.o.valid | self.o.ready),
        ]
        if self._depth == 1:
            self._register(m, put)
        else:
            self._memory(m, put, free)
        return m

    def _register(self, m, put):
        """One word, which stays hidden for a cycle, as if it came out of a memory."""
        taken = Signal(init=1)
        m.d.comb += self.i.ready.eq(taken)
        m.d.sync += self.o.valid.eq(~taken & ~(self.o.valid & self.o.ready))
        with m.If(put):
            m.d.sync += [taken.eq(0), self.o.payload.eq(self.i.payload)]
        with m.Elif(self.o.valid & self.o.ready):
            m.d.sync += taken.eq(1)

    def _memory(self, m, put, free):
        """A memory of all words but one, which is in the register behind it."""
        depth = self._depth - 1
        m.submodules.words = words = memory.Memory(shape=self._shape, depth=depth, init=[])
        write, read = words.write_port(), words.read_port()
        waiting = Signal(range(depth + 1))
        # Whether there is room, and anything, is known a cycle ahead.
        room, some = Signal(init=1), Signal()
        move = Signal()
        m.d.comb += [
            self.i.ready.eq(room),
            move.eq(some & free),
            write.en.eq(put),
            write.data.eq(self.i.payload),
            read.en.eq(move),
            self.o.payload.eq(read.data),
        ]
        with m.If(put):
            m.d.sync += write.addr.eq(_next(write.addr, depth))
        with m.If(move):
            m.d.sync += read.addr.eq(_next(read.addr, depth))
        with m.If(put & ~move):
            m.d.sync += [waiting.eq(waiting + 1), some.eq(1), room.eq(waiting != depth - 1)]
        with m.If(move & ~put):
            m.d.sync += [waiting.eq(waiting - 1), some.eq(waiting != 1), room.eq(1)]
        with m.If(free):
            m.d.sync += self.o.valid.eq(some)


def _next(address, depth):
    """The next of so many words."""
    return Mux(address == depth - 1, 0, address + 1)
