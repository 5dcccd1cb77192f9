"""Issues rows of A to the array: one a cycle whenever A, B and an accumulator are there."""

import enum

from amaranth.hdl import Const, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for, ceil_log2

from .accumulators import AccumulatorBank
from .messages import AccumulatorAccess, Job, ResultTile, WeightTile

__all__ = ["Activity", "PassSequencer"]


class Activity(enum.IntEnum):
    """What the pass sequencer does in a cycle."""

    IDLE = 0
    COMPUTE = 1
    WAIT_A = 2
    WAIT_B = 3
    WAIT_OUTPUT = 4


class PassSequencer(wiring.Component):
    """Walks the passes of a GEMM: for every tile of B, all rows of the block of A.

    Parameters
    ----------
    config : ArrayConfig

    Members
    -------
    jobs : stream of Job
    begin : 1
        A job is accepted in this cycle; its first row may be issued in the next.
    activity : Activity
    has_row, take, release, read_address
        To the A buffer. The line at ``read_address`` holds the row issued in this cycle.
    weights_ready : 1
        The next tile of B may be swapped in.
    weight_tile : WeightTile
        The next tile of B, from two cycles before it may be swapped in until it is.
    swap : 1
        The row issued in this cycle is the first of a pass.
    k_part : range(k_tiles_per_line)
        The part of the line that the pass uses.
    k_depth : range(rows + 1)
        Elements of the row that exist; the others count as zero.
    access : AccumulatorAccess
        What becomes of the row's sums.
    result_tile : ResultTile
        The tile whose last row ends in this cycle.
    tile_release : 1
        The epilogue is done with an accumulator half.
    busy : 1
    """

    def __init__(self, config):
        self._config = config
        depth = config.a_buffer_lines
        super().__init__(
            {
                "jobs": In(stream.Signature(self.job_layout(config))),
                "begin": Out(1),
                "activity": Out(Activity),
                "has_row": In(1),
                "take": Out(bits_for(depth)),
                "release": Out(1),
                "read_address": Out(ceil_log2(depth)),
                "weights_ready": In(1),
                "weight_tile": In(WeightTile(config)),
                "swap": Out(1),
                "k_part": Out(range(config.k_tiles_per_line)),
                "k_depth": Out(range(config.rows + 1)),
                "access": Out(AccumulatorAccess(config)),
                "result_tile": Out(ResultTile(config)),
                "tile_release": In(1),
                "busy": Out(1),
            }
        )

    @staticmethod
    def job_layout(config):
        """What the sequencer needs of a descriptor."""
        return Job(config)

    def elaborate(self, platform):
        m = Module()
        config = self._config
        active = Signal()
        m.d.comb += self.busy.eq(active)

        # The tile is taken over while no row of it has been issued.
        tile = Signal(WeightTile(config))
        single_row = Signal()
        first_row = Signal(init=1)
        advance = Signal()
        with m.If(first_row | advance):
            m.d.sync += [tile.eq(self.weight_tile), single_row.eq(self.weight_tile.m_end == 0)]

        # What the next row needs.
        row = Signal(range(config.accumulator_rows))
        next_row = Signal.like(row)
        first_k = Signal(init=1)
        later_last_row = Signal()
        last_row = Signal()
        halves_free = Signal(range(3), init=2)
        half = Signal()
        recovery = Signal(range(AccumulatorBank.HAZARD_CYCLES))
        wait_output = Signal()
        wait_recovery = Signal()
        wait_b = Signal()
        wait_a = Signal()
        issue = Signal()
        m.d.comb += [
            next_row.eq(row + 1),
            last_row.eq(Mux(first_row, single_row, later_last_row)),
            wait_output.eq(first_row & first_k & (halves_free == 0)),
            wait_b.eq(first_row & ~self.weights_ready),
            wait_a.eq(tile.first_use & ~self.has_row),
            wait_recovery.eq(first_row & (recovery != 0)),
            issue.eq(self.activity == Activity.COMPUTE),
        ]
        with m.If(active):
            with m.If(wait_output):
                m.d.comb += self.activity.eq(Activity.WAIT_OUTPUT)
            with m.Elif(wait_b):
                m.d.comb += self.activity.eq(Activity.WAIT_B)
            with m.Elif(wait_a):
                m.d.comb += self.activity.eq(Activity.WAIT_A)
            with m.Elif(wait_recovery):
                m.d.comb += self.activity.eq(Activity.WAIT_OUTPUT)
            with m.Else():
                m.d.comb += self.activity.eq(Activity.COMPUTE)

        # What issuing it means.
        # A line of one step along K is read once in a sweep.
        last_use = Const(1) if config.k_tiles_per_line == 1 else tile.last_use
        tile_begin = Signal()
        tile_end = Signal()
        m.d.comb += [
            advance.eq(issue & last_row),
            tile_begin.eq(issue & first_row & first_k),
            tile_end.eq(advance & tile.last_k),
            self.take.eq(issue & tile.first_use),
            self.release.eq(issue & last_use & tile.last_n),
            self.swap.eq(issue & first_row),
            self.k_part.eq(tile.k_part),
            self.k_depth.eq(tile.k_end + 1),
            self.access.valid.eq(issue),
            self.access.first.eq(first_k),
            self.access.half.eq(half),
            self.access.row.eq(row),
            self.access.tile_end.eq(tile_end),
            *(
                self.result_tile[name].eq(single_row if name == "single_row" else tile[name])
                for name in self.result_tile.shape().members
            ),
        ]
        with m.If(advance):
            m.d.sync += first_k.eq(tile.last_k)
        m.d.sync += halves_free.eq(halves_free + self.tile_release - tile_begin)
        with m.If(issue):
            m.d.sync += [
                row.eq(next_row),
                first_row.eq(last_row),
                later_last_row.eq(next_row == tile.m_end),
            ]
        with m.If(advance):
            m.d.sync += row.eq(0)
        # A block of few rows would come back to an accumulator that is still being written.
        hazard_end = AccumulatorBank.HAZARD_CYCLES - 1
        with m.If(advance & (tile.m_end < hazard_end)):
            m.d.sync += recovery.eq(hazard_end - tile.m_end)
        with m.Elif(recovery != 0):
            m.d.sync += recovery.eq(recovery - 1)
        with m.If(tile_end):
            m.d.sync += half.eq(~half)

        # Lines of a block follow each other in the buffer: all rows of its line 0, of line 1, …
        # A line that holds several steps along K is read again for each, the block for each tile of N.
        address = Signal.like(self.read_address)
        line_address = Signal.like(self.read_address)
        block_address = Signal.like(self.read_address)
        next_address = Signal.like(self.read_address)
        m.d.comb += [
            self.read_address.eq(address),
            next_address.eq(address + 1),
        ]
        with m.If(issue):
            m.d.sync += address.eq(next_address)
            with m.If(last_row):
                with m.If(~last_use):
                    m.d.sync += address.eq(line_address)
                with m.Elif(~tile.last_k):
                    m.d.sync += line_address.eq(next_address)
                with m.Elif(~tile.last_n):
                    m.d.sync += [address.eq(block_address), line_address.eq(block_address)]
                with m.Else():
                    m.d.sync += [line_address.eq(next_address), block_address.eq(next_address)]

        m.d.comb += [
            self.jobs.ready.eq(~active | (advance & tile.last)),
            self.begin.eq(self.jobs.valid & self.jobs.ready),
        ]
        with m.If(self.jobs.ready):
            m.d.sync += active.eq(self.jobs.valid)
        return m
