"""Walks the finished tiles row by row: reads accumulators, addresses D."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from .descriptor import Output
from .epilogue import RowTraits
from .loops import TileLoop
from .messages import Job, RowWrite

__all__ = ["StoreSequencer"]


class StoreSequencer(wiring.Component):
    """Sends every row of a finished tile through the epilogue and announces its write.

    Parameters
    ----------
    config : ArrayConfig

    Members
    -------
    jobs : stream of Job
    tile_done : 1
        The accumulators hold another finished tile.
    read_row : range(accumulator_rows)
        The accumulator row of the row offered.
    rows : stream of RowTraits
        To the epilogue.
    writes : stream of RowWrite
        To the write DMA. A row goes to both streams in the same cycle, so each offer stands only while the
        other stream is ready.
    busy : 1
    """

    def __init__(self, config):
        self._config = config
        super().__init__(
            {
                "jobs": In(stream.Signature(self.job_layout(config))),
                "tile_done": In(1),
                "read_row": Out(range(config.accumulator_rows)),
                "rows": Out(stream.Signature(RowTraits(config))),
                "writes": Out(stream.Signature(RowWrite(config))),
                "busy": Out(1),
            }
        )

    @staticmethod
    def job_layout(config):
        """What the sequencer needs of a descriptor."""
        fields = ("m", "n", "batch", "m_block", "output", "parameters", "relu")
        return Job(config, *fields, "d_address", "d_stride", "d_batch_stride")

    def elaborate(self, platform):
        m = Module()
        config = self._config
        m.submodules.loop = loop = TileLoop(config, max_k_step=1)
        job = Signal(self.job_layout(config))
        active = Signal()
        int8 = Signal()
        m.d.comb += [
            self.busy.eq(active),
            int8.eq(job.output == Output.INT8),
            loop.k_step.eq(1),
            loop.dimensions.m.eq(self.jobs.payload.m),
            loop.dimensions.k.eq(1),
            loop.dimensions.n.eq(self.jobs.payload.n),
            loop.dimensions.batch.eq(self.jobs.payload.batch),
            loop.dimensions.m_block.eq(self.jobs.payload.m_block),
        ]

        tiles_ready = Signal(range(3))
        half = Signal()
        row = Signal(range(config.accumulator_rows))
        first_row = Signal(init=1)
        later_last_row = Signal()
        last_row = Signal()
        offered = Signal()
        accepted = Signal()
        m.d.comb += [
            last_row.eq(Mux(first_row, loop.single_row, later_last_row)),
            offered.eq(active & (tiles_ready != 0)),
            self.rows.valid.eq(offered & self.writes.ready),
            self.writes.valid.eq(offered & self.rows.ready),
            accepted.eq(offered & self.rows.ready & self.writes.ready),
            loop.advance.eq(accepted & last_row),
            self.jobs.ready.eq(~active | (loop.advance & loop.last)),
            loop.load.eq(self.jobs.valid & self.jobs.ready),
        ]
        m.d.sync += tiles_ready.eq(tiles_ready + self.tile_done - loop.advance)
        with m.If(accepted):
            m.d.sync += [
                row.eq(Mux(last_row, 0, row + 1)),
                first_row.eq(last_row),
                later_last_row.eq(row + 2 == loop.m_rows),
            ]
        with m.If(loop.advance):
            m.d.sync += half.eq(~half)

        # Where the row lies within its tile's columns of D.
        bus_log2 = exact_log2(config.bus_bytes)
        n_bytes = Signal(len(loop.n_position) + 2)
        row_bytes = Signal(range(4 * config.columns + 1))
        batch_address = Signal.like(job.d_address)
        block_address = Signal.like(job.d_address)
        row_address = Signal.like(job.d_address)
        next_address = Signal.like(job.d_address)
        m.d.comb += [
            n_bytes.eq(Mux(int8, loop.n_position, loop.n_position << 2)),
            row_bytes.eq(Mux(int8, loop.n_columns, loop.n_columns << 2)),
            next_address.eq(row_address + job.d_stride),
        ]
        with m.If(accepted):
            m.d.sync += row_address.eq(next_address)
        with m.If(loop.advance):
            with m.If(~loop.last_n):
                m.d.sync += row_address.eq(block_address)
            with m.Elif(~loop.last_m):
                m.d.sync += block_address.eq(next_address)
            with m.Else():
                m.d.sync += [
                    batch_address.eq(batch_address + job.d_batch_stride),
                    block_address.eq(batch_address + job.d_batch_stride),
                    row_address.eq(batch_address + job.d_batch_stride),
                ]
        with m.If(self.jobs.ready):
            m.d.sync += [
                active.eq(self.jobs.valid),
                job.eq(self.jobs.payload),
                batch_address.eq(self.jobs.payload.d_address),
                block_address.eq(self.jobs.payload.d_address),
                row_address.eq(self.jobs.payload.d_address),
            ]

        traits, write = self.rows.payload, self.writes.payload
        m.d.comb += [
            self.read_row.eq(row),
            traits.int8.eq(int8),
            traits.relu.eq(job.relu),
            traits.parameters.eq(job.parameters),
            traits.half.eq(half),
            traits.columns.eq(loop.n_columns),
            traits.offset.eq(n_bytes[:bus_log2]),
            traits.tile_end.eq(last_row),
            write.address.eq(row_address + ((n_bytes >> bus_log2) << bus_log2)),
            write.beats.eq((row_bytes + config.bus_bytes - 1) >> bus_log2),
            write.slot.eq(job.slot),
            write.end.eq(last_row & loop.last),
        ]
        return m
