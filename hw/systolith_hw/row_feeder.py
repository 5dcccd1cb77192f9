"""Carries rows of A from the A buffer to the array."""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from .config import OPERAND_BITS

__all__ = ["RowFeeder"]


class RowFeeder(wiring.Component):
    """Selects R operands of a buffer line, and zeros those beyond K.

    Parameters
    ----------
    config : ArrayConfig

    Members
    -------
    swap, k_part, k_depth
        From the pass sequencer, in the cycle in which it issues the row.
    read_data : line
        From the A buffer, one cycle later.
    a : ArrayLayout(signed(8), rows)
    swap_out : 1
        To the array.

    Latency
    -------
    ``LATENCY`` cycles from ``k_part`` to ``a``. No back-pressure.
    """

    LATENCY = 2

    def __init__(self, config):
        self._config = config
        super().__init__(
            {
                "swap": In(1),
                "k_part": In(range(config.k_tiles_per_line)),
                "k_depth": In(range(config.rows + 1)),
                "read_data": In(8 * config.line_bytes),
                "a": Out(data.ArrayLayout(signed(OPERAND_BITS), config.rows)),
                "swap_out": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        swap = Signal()
        k_part = Signal.like(self.k_part)
        k_depth = Signal.like(self.k_depth)
        operands = Signal(self.a.shape())
        m.d.sync += [swap.eq(self.swap), k_part.eq(self.k_part), k_depth.eq(self.k_depth)]
        m.d.comb += operands.eq(self.read_data.word_select(k_part, 8 * self._config.rows))
        m.d.sync += self.swap_out.eq(swap)
        for r in range(self._config.rows):
            m.d.sync += self.a[r].eq(Mux(r < k_depth, operands[r], 0))
        return m
