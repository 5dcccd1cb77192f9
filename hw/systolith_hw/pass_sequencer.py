"""Issues rows of A to the array: one a cycle whenever A, B and an accumulator are there."""

import enum

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for, ceil_log2, exact_log2

from .accumulators import AccumulatorBank
from .loops import TileLoop
from .messages import AccumulatorAccess, Job

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
    swap : 1
        The row issued in this cycle is the first of a pass.
    k_part : range(k_tiles_per_line)
        The part of the line that the pass uses.
    k_depth : range(rows + 1)
        Elements of the row that exist; the others count as zero.
    access : AccumulatorAccess
        What becomes of the row's sums.
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
                "swap": Out(1),
                "k_part": Out(range(config.k_tiles_per_line)),
                "k_depth": Out(range(config.rows + 1)),
                "access": Out(AccumulatorAccess(config)),
                "tile_release": In(1),
                "busy": Out(1),
            }
        )

    @staticmethod
    def job_layout(config):
        """What the sequencer needs of a descriptor."""
        return Job(config, "m", "k", "n", "batch", "m_block")

    def elaborate(self, platform):
        m = Module()
        config = self._config
        m.submodules.loop = loop = TileLoop(config, max_k_step=config.rows)
        active = Signal()
        m.d.comb += [
            self.busy.eq(active),
            loop.k_step.eq(config.rows),
            loop.dimensions.m.eq(self.jobs.payload.m),
            loop.dimensions.k.eq(self.jobs.payload.k),
            loop.dimensions.n.eq(self.jobs.payload.n),
            loop.dimensions.batch.eq(self.jobs.payload.batch),
            loop.dimensions.m_block.eq(self.jobs.payload.m_block),
        ]

        # What the next row needs.
        group_bytes = config.burst_lines * config.line_bytes
        row = Signal(range(config.accumulator_rows))
        first_row = Signal(init=1)
        later_last_row = Signal()
        last_row = Signal()
        halves_free = Signal(range(3), init=2)
        half = Signal()
        first_use = Signal()
        group_begins = Signal(init=1)
        recovery = Signal(range(AccumulatorBank.HAZARD_CYCLES))
        wait_output = Signal()
        wait_recovery = Signal()
        wait_b = Signal()
        wait_a = Signal()
        issue = Signal()
        m.d.comb += [
            last_row.eq(Mux(first_row, loop.single_row, later_last_row)),
            first_use.eq(loop.first_n & group_begins),
            wait_output.eq(first_row & loop.first_k & (halves_free == 0)),
            wait_b.eq(first_row & ~self.weights_ready),
            wait_a.eq(first_use & ~self.has_row),
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
        k_in_line = loop.k_position[exact_log2(config.rows) : exact_log2(config.line_bytes)]
        last_use = Signal()
        tile_begin = Signal()
        tile_end = Signal()
        m.d.comb += [
            last_use.eq(loop.last_k | (k_in_line == config.k_tiles_per_line - 1)),
            tile_begin.eq(issue & first_row & loop.first_k),
            tile_end.eq(issue & last_row & loop.last_k),
            self.take.eq(issue & first_use),
            self.release.eq(issue & last_use & loop.last_n),
            self.swap.eq(issue & first_row),
            self.k_part.eq(k_in_line),
            self.k_depth.eq(loop.k_depth),
            self.access.valid.eq(issue),
            self.access.first.eq(loop.first_k),
            self.access.half.eq(half),
            self.access.row.eq(row),
            self.access.tile_end.eq(tile_end),
            loop.advance.eq(issue & last_row),
        ]
        with m.If(loop.advance):
            next_position = (loop.k_position + config.rows)[: exact_log2(group_bytes)]
            m.d.sync += group_begins.eq(loop.last_k | (next_position == 0))
        m.d.sync += halves_free.eq(halves_free + self.tile_release - tile_begin)
        with m.If(issue):
            m.d.sync += [
                row.eq(Mux(last_row, 0, row + 1)),
                first_row.eq(last_row),
                later_last_row.eq(row + 2 == loop.m_rows),
            ]
        # A block of few rows would come back to an accumulator that is still being written.
        with m.If(loop.advance & (loop.m_rows < AccumulatorBank.HAZARD_CYCLES)):
            m.d.sync += recovery.eq(AccumulatorBank.HAZARD_CYCLES - loop.m_rows)
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
                with m.Elif(~loop.last_k):
                    m.d.sync += line_address.eq(next_address)
                with m.Elif(~loop.last_n):
                    m.d.sync += [address.eq(block_address), line_address.eq(block_address)]
                with m.Else():
                    m.d.sync += [line_address.eq(next_address), block_address.eq(next_address)]

        m.d.comb += [
            self.jobs.ready.eq(~active | (loop.advance & loop.last)),
            self.begin.eq(self.jobs.valid & self.jobs.ready),
            loop.load.eq(self.begin),
        ]
        with m.If(self.jobs.ready):
            m.d.sync += active.eq(self.jobs.valid)
        return m
