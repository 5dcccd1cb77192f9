"""The epilogue parameters of the tiles that are stored."""

from amaranth.hdl import Module, Signal
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2, exact_log2

from .requantize import Parameters
from .weight_feeder import ParameterLine

__all__ = ["ParameterStore"]


class ParameterStore(wiring.Component):
    """Keeps the parameters of two tiles.

    A word of the memory is as wide as a line or as what is read at once, whichever is wider.

    Parameters
    ----------
    config : ArrayConfig
    read_bits : int
        Bits read at once, a power of two.

    Members
    -------
    line : ParameterLine
    enable : 1
        Read ``read_bits`` number ``index`` of the tile in ``half``.
    read : read_bits
        What was read last.

    Latency
    -------
    One cycle.
    """

    def __init__(self, config, *, read_bits):
        self._read_bits = read_bits
        self._tile_bits = Parameters().size * config.columns
        super().__init__(
            {
                "line": In(ParameterLine(config)),
                "enable": In(1),
                "half": In(1),
                "index": In(ceil_log2(self._tile_bits // read_bits)),
                "read": Out(read_bits),
            }
        )

    def elaborate(self, platform):
        m = Module()
        line_bits = len(self.line.data)
        word_bits = max(self._read_bits, line_bits)
        words = self._tile_bits // word_bits
        lines_log2 = exact_log2(word_bits // line_bits)
        reads_log2 = exact_log2(word_bits // self._read_bits)

        layout = data.ArrayLayout(line_bits, 1 << lines_log2)
        m.submodules.memory = stored = memory.Memory(shape=layout, depth=2 * words, init=[])
        write = stored.write_port(granularity=1)
        read = stored.read_port()
        m.d.comb += [
            write.addr.eq(self.line.half * words + (self.line.index >> lines_log2)),
            write.en.eq(self.line.valid << self.line.index[:lines_log2]),
            *(part.eq(self.line.data) for part in write.data),
            read.addr.eq(self.half * words + (self.index >> reads_log2)),
            read.en.eq(self.enable),
        ]
        part = Signal(reads_log2)
        with m.If(self.enable):
            m.d.sync += part.eq(self.index)
        m.d.comb += self.read.eq(read.data.as_value().word_select(part, self._read_bits))
        return m
