"""The on-chip buffer of one operand: a ring of lines with credits."""

from amaranth.hdl import Module, Signal
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for, ceil_log2

from .messages import ReadData

__all__ = ["OperandBuffer"]


class OperandBuffer(wiring.Component):
    """Ring of lines between the read DMA and the array.

    The loader reserves lines before it requests their data; the DMA fills them, a row at a time; the
    consumer takes a row's credit before it first reads the row, reads as often as it likes, and releases
    the lines.

    Parameters
    ----------
    config : ArrayConfig
    depth : int
        Lines.

    Members
    -------
    write_valid : 1
    write : ReadData
        A beat of a line. ``row_end`` adds one row to ``rows_ready`` in the next cycle.
    reserve : range(depth + 1)
        Lines to reserve in this cycle; at most as many as are free, which ``free`` tells two cycles after the
        last ones were reserved.
    free : range(depth + 1)
        Lines that were neither reserved nor in use a cycle before this one began.
    rows_ready : range(depth + 1)
        Rows loaded and not yet taken.
    has_row : 1
        ``rows_ready`` is not 0.
    take : range(depth + 1)
        Rows to take in this cycle; at most ``rows_ready``.
    release : 1
        One line is no longer needed.
    read_address : range(depth)
    read_data : line
        The line at ``read_address`` one cycle ago.

    Latency
    -------
    ``READ_LATENCY`` cycle. No back-pressure.
    """

    READ_LATENCY = 1

    def __init__(self, config, *, depth):
        self._config = config
        self._depth = depth
        super().__init__(
            {
                "write_valid": In(1),
                "write": In(ReadData(config)),
                "reserve": In(bits_for(depth)),
                "free": Out(bits_for(depth), init=depth),
                "rows_ready": Out(bits_for(depth)),
                "has_row": Out(1),
                "take": In(bits_for(depth)),
                "release": In(1),
                "read_address": In(ceil_log2(depth)),
                "read_data": Out(8 * config.line_bytes),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config = self._config
        line = data.ArrayLayout(config.axi_data_bits, config.beats_per_line)
        m.submodules.memory = lines = memory.Memory(shape=line, depth=self._depth, init=[])
        write = lines.write_port(granularity=1)
        read = lines.read_port()
        row_end = Signal()
        m.d.comb += [
            write.addr.eq(self.write.line),
            write.en.eq(self.write_valid << self.write.beat),
            row_end.eq(self.write_valid & self.write.row_end),
            read.addr.eq(self.read_address),
            self.read_data.eq(read.data),
        ]
        for beat in range(config.beats_per_line):
            m.d.comb += write.data[beat].eq(self.write.data)
        reserved = Signal.like(self.reserve)
        released = Signal()
        m.d.sync += [
            reserved.eq(self.reserve),
            released.eq(self.release),
            self.free.eq(self.free - reserved + released),
            self.rows_ready.eq(self.rows_ready + row_end - self.take),
            self.has_row.eq(row_end | (self.rows_ready != self.take)),
        ]
        return m
