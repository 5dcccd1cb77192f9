"""Carries weight tiles from the B buffer into the array, and epilogue parameters past it."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for, ceil_log2, exact_log2

from .array import WeightLoad
from .config import OPERAND_BITS
from .descriptor import BLayout
from .job_queues import keep_job
from .loops import TileLoop
from .messages import Job, WeightTile

__all__ = ["ParameterLine", "WeightFeeder"]


class ParameterLine(data.StructLayout):
    """A part of a tile's epilogue parameters on its way to the epilogue."""

    def __init__(self, config):
        line_bits = 8 * config.line_bytes // config.parameter_sets_per_line
        super().__init__({"valid": 1, "half": 1, "index": range(config.parameter_lines), "data": line_bits})


class WeightFeeder(wiring.Component):
    """Reads one line of the B buffer a cycle, without a pause within a tile.

    A tile may start when the array can take it (``swap_to_load`` cycles after the last swap) and all of it
    was in the buffer a cycle before. Parameters wait until the epilogue has finished the tile before the
    last.

    Parameters
    ----------
    config : ArrayConfig
    swap_to_load, column_lead : int
        See :class:`.array.SystolicArray`.

    Members
    -------
    jobs : stream of Job
    rows_ready, has_row, take, release, read_address, read_data
        To the B buffer.
    swap : 1
        The pass sequencer issues the first row of a pass.
    ready : 1
        A row issued in this cycle may swap the next tile in.
    tile : WeightTile
        The tile that was started last, from the cycle after its start on.
    tile_release : 1
        The epilogue is done with a tile's accumulators and parameters.
    load : WeightLoad
        To the array.
    parameters : ParameterLine
        To the epilogue.
    busy : 1

    Latency
    -------
    ``LATENCY`` cycles from a buffer read to ``load`` and ``parameters``.
    """

    LATENCY = 2

    def __init__(self, config, *, swap_to_load, column_lead):
        self._config = config
        self._swap_to_load = swap_to_load
        self._column_lead = column_lead
        depth = config.b_buffer_lines
        super().__init__(
            {
                "jobs": In(stream.Signature(self.job_layout(config))),
                "rows_ready": In(bits_for(depth)),
                "has_row": In(1),
                "take": Out(bits_for(depth)),
                "release": Out(1),
                "read_address": Out(ceil_log2(depth)),
                "read_data": In(8 * config.line_bytes),
                "swap": In(1),
                "ready": Out(1),
                "tile": Out(WeightTile(config)),
                "tile_release": In(1),
                "load": Out(WeightLoad(rows=config.rows, columns=config.columns, operand_bits=OPERAND_BITS)),
                "parameters": Out(ParameterLine(config)),
                "busy": Out(1),
            }
        )

    @staticmethod
    def job_layout(config):
        """What the feeder needs of a descriptor."""
        return Job(config, "m", "k", "n", "batch", "m_block", "b_layout", "parameters")

    def elaborate(self, platform):
        m = Module()
        config = self._config
        m.submodules.loop = loop = TileLoop(config, k_steps=(config.rows,))
        job = keep_job(m, config, self.jobs)
        active = Signal()
        by_column = Signal()
        m.d.comb += [
            by_column.eq(job.b_layout == BLayout.NK),
            self.busy.eq(active),
            loop.dimensions.m.eq(self.jobs.payload.m),
            loop.dimensions.k.eq(self.jobs.payload.k),
            loop.dimensions.n.eq(self.jobs.payload.n),
            loop.dimensions.batch.eq(self.jobs.payload.batch),
            loop.dimensions.m_block.eq(self.jobs.payload.m_block),
        ]

        # Which part of which line the tile is in.
        group_bytes = config.burst_lines * config.line_bytes
        k_in_line = loop.k_position[exact_log2(config.rows) : exact_log2(config.line_bytes)]
        n_in_line = loop.n_position[exact_log2(config.columns) :][: exact_log2(config.n_tiles_per_line)]
        k_in_group = loop.k_position[exact_log2(config.rows) : exact_log2(group_bytes)]
        group_begins = Signal()
        line_ends = Signal()
        first_use = Signal()
        last_use = Signal()
        m.d.comb += [
            line_ends.eq(loop.last_k | (k_in_line == config.k_tiles_per_line - 1)),
            first_use.eq(~by_column | group_begins),
            last_use.eq(~by_column | line_ends),
        ]
        with m.If(loop.load | loop.advance):
            m.d.sync += group_begins.eq(loop.load | loop.last_k | k_in_group.all())

        # When the next tile may start.
        tiles_unfinished = Signal(range(5))
        gap = Signal(range(self._swap_to_load + 1))
        loaded = Signal()
        # Nothing is loaded, and the gap is over.
        clear = Signal(init=1)
        parameters_next = Signal()
        row_end = Signal(range(max(config.rows, config.columns)))
        row_end_after = Signal.like(row_end)
        row_end_next = Signal.like(row_end)
        enough = Signal()
        may_start = Signal()
        m.d.comb += [
            row_end.eq(Mux(by_column, loop.n_end, loop.k_end)),
            may_start.eq(
                Mux(
                    parameters_next,
                    self.has_row & (tiles_unfinished < 2),
                    clear & (~first_use | enough),
                )
            ),
        ]

        # Reading it, a line a cycle.
        reading = Signal()
        read = Signal()
        start = Signal()
        index = Signal(range(max(config.rows, config.columns, config.parameter_lines)))
        next_index = Signal.like(index)
        line_end = Signal.like(index)
        later_last_line = Signal()
        row_is_one_line = Signal()
        is_one_line = Signal()
        done = Signal()
        m.d.comb += [
            next_index.eq(index + 1),
            line_end.eq(Mux(parameters_next, config.parameter_lines - 1, row_end)),
            start.eq(active & ~reading & may_start),
            read.eq(start | reading),
            is_one_line.eq(Mux(parameters_next, config.parameter_lines == 1, row_is_one_line)),
            done.eq(Mux(reading, later_last_line, start & is_one_line)),
            self.release.eq(read & (parameters_next | last_use)),
            loop.advance.eq(done & ~parameters_next),
            self.jobs.ready.eq(~active),
            loop.load.eq(self.jobs.valid & self.jobs.ready),
        ]
        # Known a cycle ahead, but for what begins with a job or is taken just now. Tiles of one line do not
        # follow each other at once.
        goes_on = reading & later_last_line & ~parameters_next
        m.d.comb += row_end_next.eq(Mux(goes_on, row_end_after, row_end))
        m.d.sync += [
            row_end_after.eq(Mux(by_column, loop.n_end_after, loop.k_end_after)),
            enough.eq((self.rows_ready > row_end_next) & ~(loop.load | start)),
            row_is_one_line.eq(row_end_next == 0),
        ]
        m.d.sync += tiles_unfinished.eq(tiles_unfinished + (loop.advance & loop.first_k) - self.tile_release)
        with m.If(read):
            m.d.sync += [reading.eq(1), index.eq(next_index), later_last_line.eq(next_index == line_end)]
        with m.If(done):
            m.d.sync += [
                reading.eq(0),
                index.eq(0),
                parameters_next.eq(job.parameters & loop.last_k & ~parameters_next),
            ]
        with m.If(loop.advance & loop.last):
            m.d.sync += active.eq(0)
        with m.If(self.jobs.ready):
            m.d.sync += [active.eq(self.jobs.valid), parameters_next.eq(self.jobs.payload.parameters)]
        with m.If(start & parameters_next):
            m.d.comb += self.take.eq(1)
        with m.Elif(start & first_use):
            m.d.comb += self.take.eq(row_end + 1)

        # A line that holds several tiles is read again for each of them.
        address = Signal.like(self.read_address)
        line_address = Signal.like(self.read_address)
        m.d.comb += self.read_address.eq(address)
        with m.If(read):
            m.d.sync += address.eq(address + 1)
            with m.If(done):
                with m.If(parameters_next | last_use):
                    m.d.sync += line_address.eq(address + 1)
                with m.Else():
                    m.d.sync += address.eq(line_address)

        # The handshake with the pass sequencer.
        early = Signal()
        if self._column_lead:
            m.d.comb += early.eq(by_column & reading & (index <= self._column_lead))
        with m.If(gap != 0):
            m.d.sync += [gap.eq(gap - 1), clear.eq(gap == 1)]
        with m.If(loaded & ~early):
            m.d.sync += self.ready.eq(1)
        with m.If(start & ~parameters_next):
            m.d.sync += [
                loaded.eq(1),
                clear.eq(0),
                self.tile.m_end.eq(loop.m_end),
                self.tile.k_end.eq(loop.k_end),
                self.tile.n_end.eq(loop.n_end),
                self.tile.k_part.eq(k_in_line),
                self.tile.first_use.eq(loop.first_n & group_begins),
                self.tile.last_use.eq(line_ends),
                self.tile.last_k.eq(loop.last_k),
                self.tile.last_n.eq(loop.last_n),
                self.tile.last_m.eq(loop.last_m),
                self.tile.last.eq(loop.last),
            ]
        with m.If(self.swap):
            m.d.sync += [
                loaded.eq(0),
                self.ready.eq(0),
                gap.eq(max(0, self._swap_to_load - 1)),
                clear.eq(self._swap_to_load <= 1),
            ]

        # While the memory reads, then select.
        parameter_half = Signal()
        with m.If(loop.advance & loop.last_k):
            m.d.sync += parameter_half.eq(~parameter_half)
        is_weights, is_parameters, columnwise, half = (
            Signal(name=name) for name in ("is_weights", "is_parameters", "columnwise", "half")
        )
        line_index = Signal.like(index)
        k_part = Signal(range(config.k_tiles_per_line))
        n_part = Signal(range(config.n_tiles_per_line))
        set_part = Signal(range(config.parameter_sets_per_line))
        m.d.sync += [
            is_weights.eq(read & ~parameters_next),
            is_parameters.eq(read & parameters_next),
            columnwise.eq(by_column),
            half.eq(parameter_half),
            line_index.eq(index),
            k_part.eq(k_in_line),
            n_part.eq(n_in_line),
            set_part.eq(loop.n_position >> exact_log2(config.columns)),
            self.load.valid.eq(is_weights),
            self.load.by_column.eq(columnwise),
            self.load.index.eq(line_index),
            self.load.weights.eq(
                Mux(
                    columnwise,
                    self.read_data.word_select(k_part, 8 * config.rows),
                    self.read_data.word_select(n_part, 8 * config.columns),
                )
            ),
            self.parameters.valid.eq(is_parameters),
            self.parameters.half.eq(half),
            self.parameters.index.eq(line_index),
            self.parameters.data.eq(self.read_data.word_select(set_part, len(self.parameters.data))),
        ]
        return m
