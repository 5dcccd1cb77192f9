"""Keeps requests until they are known to be whole."""

from amaranth.hdl import Module, Signal
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from systolith_hw.counting import next_count

__all__ = ["FrameQueue"]


class FrameQueue(wiring.Component):
    """A first-in first-out queue of bytes that may take back what was last written.

    Parameters
    ----------
    depth : int
        Bytes, a power of two.

    Members
    -------
    write : 1
        Take in ``data``; not together with ``commit`` or ``rewind``.
    data : 8
    commit : 1
        What was written may be read.
    rewind : 1
        What was written since the last commit never was.
    full : 1
        Nothing may be written. Tells of what has been written until two cycles ago.
    bytes : stream of 8
        What is committed. Back-pressure is honoured.

    Latency
    -------
    ``LATENCY`` cycles from a commit to the first byte.
    """

    LATENCY = 2

    def __init__(self, *, depth):
        self._depth = depth
        super().__init__(
            {
                "write": In(1),
                "data": In(8),
                "commit": In(1),
                "rewind": In(1),
                "full": Out(1),
                "bytes": Out(stream.Signature(8)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = store = memory.Memory(shape=8, depth=self._depth, init=[])
        write_port, read_port = store.write_port(), store.read_port()
        # One bit more than an address tells full from empty.
        committed = Signal(exact_log2(self._depth) + 1)
        end = Signal.like(committed)
        read = Signal.like(committed)
        m.d.comb += [
            write_port.addr.eq(end),
            write_port.data.eq(self.data),
            write_port.en.eq(self.write),
            read_port.addr.eq(read),
            read_port.en.eq((committed != read) & (~self.bytes.valid | self.bytes.ready)),
            self.bytes.payload.eq(read_port.data),
        ]
        m.d.sync += self.full.eq((end ^ read) == self._depth)
        with m.If(self.write | self.rewind):
            m.d.sync += end.eq(next_count(end, loads=self.rewind, value=committed))
        with m.If(self.commit):
            m.d.sync += committed.eq(end)
        with m.If(self.bytes.ready):
            m.d.sync += self.bytes.valid.eq(0)
        with m.If(read_port.en):
            m.d.sync += [read.eq(read + 1), self.bytes.valid.eq(1)]
        return m
