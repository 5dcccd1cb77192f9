"""Walks the finished tiles row by row: reads accumulators, addresses D."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from .descriptor import Output
from .groups import RowTraits
from .job_queues import keep_job
from .messages import Job, ResultTile, RowWrite, field_shape

__all__ = ["StoreSequencer"]


class StoreSequencer(wiring.Component):
    """Sends every row of a finished tile through the epilogue and announces its write.

    Parameters
    ----------
    config : ArrayConfig

    Members
    -------
    jobs : stream of Job
    tile_end, tile_half, tile : 1, 1, ResultTile
        What an accumulator half will hold when its tile is done.
    tile_done : 1
        The accumulators hold another finished tile.
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
                "tile_end": In(1),
                "tile_half": In(1),
                "tile": In(ResultTile(config)),
                "tile_done": In(1),
                "rows": Out(stream.Signature(RowTraits(config))),
                "writes": Out(stream.Signature(RowWrite(config))),
                "busy": Out(1),
            }
        )

    @staticmethod
    def job_layout(config):
        """What the sequencer needs of a descriptor."""
        return Job(config, "output", "parameters", "relu", "d_address", "d_stride", "d_batch_stride")

    def elaborate(self, platform):
        m = Module()
        config = self._config
        job = keep_job(m, config, self.jobs)
        active = Signal()
        int8 = Signal()
        m.d.comb += [self.busy.eq(active), int8.eq(job.output == Output.INT8)]

        tile = Signal(ResultTile(config))
        half = Signal()
        tiles_ready = Signal(range(3))
        row = Signal(range(config.accumulator_rows))
        next_row = Signal.like(row)
        first_row = Signal(init=1)
        later_last_row = Signal()
        last_row = Signal()
        offered = Signal()
        accepted = Signal()
        advance = Signal()
        m.d.comb += [
            next_row.eq(row + 1),
            last_row.eq(Mux(first_row, tile.single_row, later_last_row)),
            offered.eq(active & (tiles_ready != 0)),
            self.rows.valid.eq(offered & self.writes.ready),
            self.writes.valid.eq(offered & self.rows.ready),
            accepted.eq(offered & self.rows.ready & self.writes.ready),
            advance.eq(accepted & last_row),
            self.jobs.ready.eq(~active),
        ]
        m.d.sync += tiles_ready.eq(tiles_ready + self.tile_done - advance)
        with m.If(accepted):
            m.d.sync += [
                row.eq(next_row),
                first_row.eq(last_row),
                later_last_row.eq(next_row == tile.m_end),
            ]
        with m.If(advance):
            m.d.sync += [row.eq(0), half.eq(~half)]
        # A tile that ends in the other half waits until this one is done.
        waiting = Signal.like(tile)
        waits = Signal()
        m.d.comb += waits.eq(self.tile_half != half)
        with m.If(self.tile_end & waits):
            m.d.sync += waiting.eq(self.tile)
        with m.If(advance | (self.tile_end & ~waits)):
            m.d.sync += tile.eq(Mux(self.tile_end, self.tile, waiting))
        with m.If(advance & tile.last):
            m.d.sync += active.eq(0)
        with m.If(self.jobs.ready):
            m.d.sync += active.eq(self.jobs.valid)

        # Where the tile's columns lie in a row of D: in units of C bytes.
        columns_log2 = exact_log2(config.columns)
        bus_log2 = exact_log2(config.bus_bytes)
        column_offset = Signal(max(1, field_shape(config, "n").width - columns_log2) + 2)
        column_bytes = column_offset << columns_log2
        with m.If(advance):
            m.d.sync += column_offset.eq(column_offset + Mux(int8, 1, 4))
        with m.If(advance & tile.last_n):
            m.d.sync += column_offset.eq(0)

        # Where the row lies in D: in beats.
        batch_address = Signal.like(job.d_address)
        block_address = Signal.like(job.d_address)
        row_address = Signal.like(job.d_address)
        first_address = Signal.like(job.d_address)
        following_address = Signal.like(job.d_address)
        ends_batch = Signal()
        m.d.comb += [
            ends_batch.eq(last_row & tile.last_n & tile.last_m),
            first_address.eq(Mux(active, batch_address + job.d_batch_stride, self.jobs.payload.d_address)),
            following_address.eq(Mux(~active | ends_batch, first_address, row_address + job.d_stride)),
        ]
        with m.If(~active | accepted):
            m.d.sync += row_address.eq(
                Mux(active & last_row & ~tile.last_n, block_address, following_address)
            )
        with m.If(~active | (advance & tile.last_n)):
            m.d.sync += block_address.eq(following_address)
            with m.If(~active | tile.last_m):
                m.d.sync += batch_address.eq(first_address)

        end_byte = Signal(range(4 * config.columns))
        m.d.comb += end_byte.eq(Mux(int8, tile.n_end, tile.n_end << 2 | 3))
        traits, write = self.rows.payload, self.writes.payload
        m.d.comb += [
            traits.accumulator_row.eq(row),
            traits.int8.eq(int8),
            traits.relu.eq(job.relu),
            traits.parameters.eq(job.parameters),
            traits.half.eq(half),
            traits.columns.eq(tile.n_end + 1),
            traits.offset.eq(column_bytes[:bus_log2]),
            traits.tile_end.eq(last_row),
            write.address.eq(row_address + (column_bytes >> bus_log2)),
            write.beats.eq((end_byte >> bus_log2) + 1),
            write.slot.eq(job.slot),
            write.end.eq(last_row & tile.last),
        ]
        return m
