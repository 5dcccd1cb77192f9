"""The loop nest over a GEMM's tiles, which every unit walks at its own pace."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for, exact_log2

from .counting import next_count
from .messages import Dimensions, field_shape

__all__ = ["TileLoop"]


class TileLoop(wiring.Component):
    """Counters of the loop nest ``for batch, for block of M, for tile of N, for step of K``.

    Parameters
    ----------
    config : ArrayConfig
    k_steps : tuple of int
        Lengths that a step along K may have, powers of two.
    over_n : bool
        Clear: there is no loop over tiles of N.

    Members
    -------
    load : 1
        Begin a nest over ``dimensions``; the first iteration is there in the next cycle.
    dimensions : Dimensions
        If there is one descriptor slot, they and ``k_step`` are there before ``load``, and stay.
    k_step : range(len(k_steps))
        Which length a step along K has; with ``load`` in the nest that begins.
    advance : 1
        Go on to the next iteration.
    m_rows : range(accumulator_rows + 1)
        Rows of this block of M.
    m_end : range(accumulator_rows)
        The last of them.
    n_end : range(columns)
        The last column of this tile of N, counted in the tile.
    k_end : range(max(k_steps))
        The last element of this step along K, counted in the step: as many low bits as the step has.
    n_end_after, k_end_after
        What they are in the next iteration, if there is one.
    k_position, n_position
        Elements before this iteration's.
    n_final
        The last element along N.
    first_k, first_n : 1
    last_k, last_n, last_m, last : 1
        This iteration is the last along K, N, M, or of all.
    """

    def __init__(self, config, *, k_steps, over_n=True):
        self._config = config
        self._k_steps = k_steps
        self._over_n = over_n
        self._sizes_stay = config.descriptor_slots == 1
        super().__init__(
            {
                "load": In(1),
                "dimensions": In(Dimensions(config)),
                "k_step": In(range(len(k_steps))),
                "advance": In(1),
                "m_rows": Out(bits_for(config.accumulator_rows)),
                "m_end": Out(range(config.accumulator_rows)),
                "n_end": Out(range(config.columns)),
                "k_end": Out(range(max(k_steps))),
                "n_end_after": Out(range(config.columns)),
                "k_end_after": Out(range(max(k_steps))),
                "k_position": Out(field_shape(config, "k")),
                "n_position": Out(field_shape(config, "n")),
                "n_final": Out(field_shape(config, "n")),
                "first_k": Out(1),
                "first_n": Out(1),
                "last_k": Out(1, init=1),
                "last_n": Out(1, init=1),
                "last_m": Out(1),
                "last": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        end_of_n = Signal()
        last_batch = Signal()
        m.d.comb += [
            end_of_n.eq(self.advance & self.last_k & self.last_n),
            self.last.eq(self.last_k & self.last_n & self.last_m & last_batch),
        ]
        sizes = self.dimensions
        _, end_after = self._steps(m, "k", sizes.k, self._k_steps, self.k_step, self.advance)
        m.d.comb += self.k_end_after.eq(end_after)
        if self._over_n:
            columns = (self._config.columns,)
            final, end_after = self._steps(m, "n", sizes.n, columns, Const(0), self.advance & self.last_k)
            m.d.comb += [
                self.n_final.eq(final),
                self.n_end_after.eq(Mux(self.last_k, end_after, self.n_end)),
            ]
        else:
            m.d.comb += [self.first_n.eq(1), self.last_n.eq(1)]
        self._blocks(m, end_of_n)

        # The complement of the batches from this one on.
        batches_left = Signal.like(sizes.batch)
        m.d.comb += last_batch.eq(~batches_left <= 1)
        with m.If(self.load | (end_of_n & self.last_m)):
            m.d.sync += batches_left.eq(next_count(batches_left, loads=self.load, value=~sizes.batch))
        return m

    def _steps(self, m, name, size, steps, which, advance):
        """Count the steps along K or N; return the last element, and where the next step ends."""
        first, last, end, position = (
            getattr(self, member)
            for member in (f"first_{name}", f"last_{name}", f"{name}_end", f"{name}_position")
        )
        step_bits = [exact_log2(step) for step in steps]
        unit = min(step_bits)
        index = Signal(max(1, len(size) - unit), name=f"{name}_index")
        # The last element of the last step but one, negative if there is only one; its low bits are also
        # those of the last element.
        before_last = Signal(signed(max(len(size), *step_bits) + 1), name=f"{name}_before_last")
        step = _choose(which, steps)
        loads = self._keep(m, before_last, size - (step + 1))
        last_after = Signal(name=f"{name}_last_after")
        last_next = Signal(name=f"{name}_last_next")
        m.d.comb += [position.eq(index << unit), last_next.eq(last)]
        # Whether a step is the first or the last, and how long it is, is known a cycle ahead.
        follows_last = _choose(which, [index[bits - unit :] == before_last[bits:-1] for bits in step_bits])
        m.d.comb += last_after.eq(Mux(last, before_last < 0, follows_last))
        with m.If(advance):
            m.d.comb += last_next.eq(last_after)
            m.d.sync += [
                first.eq(last),
                index.eq(index + _choose(which, [1 << (bits - unit) for bits in step_bits])),
            ]
        with m.If(self.load | (advance & last)):
            m.d.sync += index.eq(0)
        with m.If(self.load):
            m.d.comb += last_next.eq(loads < 0)
            m.d.sync += first.eq(1)
        tail = Mux(self.load, loads, before_last)
        m.d.sync += [last.eq(last_next), end.eq(_end(tail, last_next, end))]
        return before_last + step, _end(before_last, last_after, end)

    def _blocks(self, m, advance):
        """Count the blocks of M by how far each ends behind M: the last one does not end before it."""
        sizes = self.dimensions
        bits = max(len(sizes.m), len(sizes.m_block)) + 1
        rows = Signal(bits)
        block = Signal.like(sizes.m_block)
        excess = Signal(signed(bits))
        excess_rows = Signal.like(block)
        begins_m = Signal()
        m.d.comb += [
            rows.eq(self._hold(m, sizes.m)),
            block.eq(self._hold(m, sizes.m_block)),
            begins_m.eq(self.load | self.last_m),
            self.last_m.eq(excess >= 0),
            excess_rows.eq(excess & self.last_m.replicate(bits)),
            self.m_rows.eq(block - excess_rows),
            self.m_end.eq(block + ~excess_rows),
        ]
        # It begins with -M, which is ~M and 1 more: a carry from a bit below.
        before = Cat(1, Mux(begins_m, ~rows, excess))
        with m.If(self.load | advance):
            m.d.sync += excess.eq((before + Cat(begins_m, block))[1:])

    def _hold(self, m, size):
        """A size of the nest, with ``load`` and until the next one begins."""
        if self._sizes_stay:
            return size
        held = Signal.like(size)
        with m.If(self.load):
            m.d.sync += held.eq(size)
        return Mux(self.load, size, held)

    def _keep(self, m, kept, value):
        """Keep a value of a nest until the next begins; return what it is with ``load``."""
        with m.If(self.load | self._sizes_stay):
            m.d.sync += kept.eq(value)
        return kept if self._sizes_stay else value


def _end(final, last, end):
    """Where a step ends: with the last element, or full."""
    return final[: len(end)] | (~last).replicate(len(end))


def _choose(which, values):
    """The value of that number."""
    chosen = values[0]
    for number, value in enumerate(values[1:], 1):
        chosen = Mux(which == number, value, chosen)
    return chosen
