"""The loop nest over a GEMM's tiles, which every unit walks at its own pace."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from .messages import Dimensions, field_shape

__all__ = ["TileLoop"]


class TileLoop(wiring.Component):
    """Counters of the loop nest ``for batch, for block of M, for tile of N, for step of K``.

    Parameters
    ----------
    config : ArrayConfig
    max_k_step : int
        Largest value of ``k_step``.

    Members
    -------
    load : 1
        Begin a nest over ``dimensions``; the first iteration is there in the next cycle.
    dimensions : Dimensions
    advance : 1
        Go on to the next iteration.
    k_step : range(max_k_step + 1)
        Length of a step along K; with ``load`` that of the nest that begins.
    m_rows : range(accumulator_rows + 1)
        Rows of this block of M.
    single_row : 1
        They are one.
    n_columns : range(columns + 1)
        Columns of this tile of N.
    k_depth : range(max_k_step + 1)
        Length of this step along K.
    k_left, n_left
        Elements left, this iteration's included.
    k_position, n_position
        Elements before this iteration's.
    first_k, first_n : 1
    last_k, last_n, last_m, last : 1
        This iteration is the last along K, N, M, or of all.
    """

    def __init__(self, config, *, max_k_step):
        self._config = config
        super().__init__(
            {
                "load": In(1),
                "dimensions": In(Dimensions(config)),
                "advance": In(1),
                "k_step": In(bits_for(max_k_step)),
                "m_rows": Out(bits_for(config.accumulator_rows)),
                "single_row": Out(1),
                "n_columns": Out(bits_for(config.columns)),
                "k_depth": Out(bits_for(max_k_step)),
                "k_left": Out(field_shape(config, "k")),
                "n_left": Out(field_shape(config, "n")),
                "k_position": Out(field_shape(config, "k")),
                "n_position": Out(field_shape(config, "n")),
                "first_k": Out(1),
                "first_n": Out(1),
                "last_k": Out(1),
                "last_n": Out(1),
                "last_m": Out(1),
                "last": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        d = Signal(self.dimensions.shape())
        k_left = Signal.like(d.k)
        n_left = Signal.like(d.n)
        m_left = Signal.like(d.m)
        batch_left = Signal.like(d.batch)
        k_position = Signal.like(d.k)
        n_position = Signal.like(d.n)
        columns = self._config.columns

        # Whether an iteration is the first or the last is known a cycle ahead, from what is left then.
        first_k, first_n = Signal(init=1), Signal(init=1)
        last_k, last_n, last_m, last_batch = Signal(init=1), Signal(init=1), Signal(init=1), Signal()
        single_k, single_n, single_m = Signal(), Signal(), Signal()
        narrow_block, single_row, first_single_row = Signal(), Signal(), Signal()

        with m.If(self.load):
            m.d.sync += [
                d.eq(self.dimensions),
                k_left.eq(self.dimensions.k),
                n_left.eq(self.dimensions.n),
                m_left.eq(self.dimensions.m),
                batch_left.eq(self.dimensions.batch),
                k_position.eq(0),
                n_position.eq(0),
                Cat(first_k, first_n).eq(-1),
                last_batch.eq(self.dimensions.batch == 1),
                narrow_block.eq(self.dimensions.m_block == 1),
                Cat(single_row, first_single_row).eq(
                    ((self.dimensions.m == 1) | (self.dimensions.m_block == 1)).replicate(2)
                ),
            ]
            for last, single, size, step in (
                (last_k, single_k, self.dimensions.k, self.k_step),
                (last_n, single_n, self.dimensions.n, columns),
                (last_m, single_m, self.dimensions.m, self.dimensions.m_block),
            ):
                m.d.sync += Cat(last, single).eq((size <= step).replicate(2))
        with m.Elif(self.advance):
            m.d.sync += [
                k_left.eq(k_left - self.k_step),
                k_position.eq(k_position + self.k_step),
                first_k.eq(0),
                last_k.eq(k_left <= self.k_step << 1),
            ]
            with m.If(last_k):
                m.d.sync += [k_left.eq(d.k), k_position.eq(0), first_k.eq(1), last_k.eq(single_k)]
                m.d.sync += [
                    n_left.eq(n_left - columns),
                    n_position.eq(n_position + columns),
                    first_n.eq(0),
                    last_n.eq(n_left <= columns << 1),
                ]
                with m.If(last_n):
                    m.d.sync += [n_left.eq(d.n), n_position.eq(0), first_n.eq(1), last_n.eq(single_n)]
                    m.d.sync += [
                        m_left.eq(m_left - d.m_block),
                        last_m.eq(m_left <= d.m_block << 1),
                        single_row.eq(narrow_block | (m_left == d.m_block + 1)),
                    ]
                    with m.If(last_m):
                        m.d.sync += [
                            m_left.eq(d.m),
                            last_m.eq(single_m),
                            single_row.eq(first_single_row),
                            batch_left.eq(batch_left - 1),
                            last_batch.eq(batch_left == 2),
                        ]

        m.d.comb += [
            self.m_rows.eq(Mux(self.last_m, m_left, d.m_block)),
            self.single_row.eq(single_row),
            self.n_columns.eq(Mux(self.last_n, n_left, columns)),
            self.k_depth.eq(Mux(self.last_k, k_left, self.k_step)),
            self.k_left.eq(k_left),
            self.n_left.eq(n_left),
            self.k_position.eq(k_position),
            self.n_position.eq(n_position),
            self.first_k.eq(first_k),
            self.first_n.eq(first_n),
            self.last_k.eq(last_k),
            self.last_n.eq(last_n),
            self.last_m.eq(last_m),
            self.last.eq(self.last_k & self.last_n & self.last_m & last_batch),
        ]
        return m
