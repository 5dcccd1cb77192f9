"""Streams B and the epilogue parameters: one tile after the other, in the order of their use."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped
from amaranth.utils import bits_for, exact_log2

from .config import PARAMETER_BYTES
from .descriptor import BLayout
from .job_queues import keep_job
from .loops import TileLoop
from .messages import Job, Order, RowRequest, Target
from .panel_loader import PanelLoader

__all__ = ["BLoader"]


class BLoader(wiring.Component):
    """Requests the panels of B in the order of their use.

    A panel is C columns by a group of lines along K (N×K), or R rows by one line along N (K×N). The panel
    of the epilogue parameters precedes those of its tile of N.

    Parameters
    ----------
    config : ArrayConfig

    Members
    -------
    jobs : stream of Job
    requests : stream of RowRequest
        Back-pressure is honoured.
    order, staged_order, begin
        As of :class:`.panel_loader.PanelLoader`.
    free, reserve : range(b_buffer_lines + 1)
        To the B buffer.
    busy : 1
    """

    def __init__(self, config):
        self._config = config
        depth = config.b_buffer_lines
        super().__init__(
            {
                "jobs": In(stream.Signature(self.job_layout(config))),
                "requests": Out(stream.Signature(RowRequest(config))),
                "order": Out(Order(config)),
                "staged_order": Out(Order(config)),
                "begin": Out(1),
                "free": In(bits_for(depth)),
                "reserve": Out(bits_for(depth)),
                "busy": Out(1),
            }
        )

    @staticmethod
    def job_layout(config):
        """What the loader needs of a descriptor."""
        fields = ("m", "k", "n", "batch", "m_block", "b_layout", "parameters")
        addresses = ("b_address", "parameter_address", "b_stride", "b_batch_stride")
        return Job(config, *fields, *addresses)

    def elaborate(self, platform):
        m = Module()
        config = self._config
        group = config.burst_lines * config.line_bytes
        m.submodules.loop = loop = TileLoop(config, k_steps=(config.rows, group))
        m.submodules.panels = loader = PanelLoader(
            config, depth=config.b_buffer_lines, target=Target.B_BUFFER
        )
        connect(m, flipped(self.requests), loader.requests)
        m.d.comb += [
            self.order.eq(loader.order),
            self.staged_order.eq(loader.staged_order),
            self.begin.eq(loader.begin),
            loader.free.eq(self.free),
            self.reserve.eq(loader.reserve),
        ]

        job = keep_job(m, config, self.jobs)
        active = Signal()
        by_column = Signal()
        begins_by_column = Signal()
        m.d.comb += [
            self.busy.eq(active | ~loader.idle),
            by_column.eq(job.b_layout == BLayout.NK),
            begins_by_column.eq(Mux(active, job.b_layout, self.jobs.payload.b_layout) == BLayout.NK),
            loop.k_step.eq(begins_by_column),
            loop.dimensions.m.eq(self.jobs.payload.m),
            loop.dimensions.k.eq(self.jobs.payload.k),
            loop.dimensions.n.eq(self.jobs.payload.n),
            loop.dimensions.batch.eq(self.jobs.payload.batch),
            loop.dimensions.m_block.eq(self.jobs.payload.m_block),
        ]

        parameters_sent = Signal()
        send_parameters = Signal()
        batch_address = Signal.like(job.b_address)

        panel = loader.panels.payload
        bus_log2 = exact_log2(config.bus_bytes)
        line_log2 = exact_log2(config.line_bytes)
        m.d.comb += [
            send_parameters.eq(job.parameters & loop.first_k & ~parameters_sent),
            panel.stride.eq(job.b_stride),
            panel.line.eq(loop.k_position >> line_log2),
            panel.later_sweep.eq(~loop.first_n),
            panel.begins_block.eq(loop.first_k & loop.first_n & ~parameters_sent),
            panel.slot.eq(job.slot),
        ]
        with m.If(send_parameters):
            m.d.comb += [
                panel.rows.eq(1),
                panel.line_end.eq(config.parameter_lines - 1),
                panel.beats.eq((self._parameters_end(loop) >> bus_log2) + 1),
            ]
        with m.Elif(by_column):
            m.d.comb += [
                panel.rows.eq(loop.n_end + 1),
                panel.line_end.eq(loop.k_end >> line_log2),
                panel.beats.eq((loop.k_end >> bus_log2) + 1),
            ]
        with m.Else():
            # Only the beats that hold the tile's columns.
            m.d.comb += [
                panel.rows.eq(loop.k_end[: exact_log2(config.rows)] + 1),
                panel.line_end.eq(0),
                panel.beats.eq((loop.n_end >> bus_log2) + 1),
            ]

        # Where the panel begins: steps along K and N are a tile or a group wide, or so many rows. A tile
        # less wide than a beat is a part of one; parameters are fetched from a line or all of a tile on.
        unit_log2 = exact_log2(min(config.bus_bytes, config.columns))
        beat_log2 = bus_log2 - unit_log2
        offset = Signal(len(batch_address) + beat_log2)
        tile_offset = Signal.like(offset)
        next_offset = Signal.like(offset)
        step = Signal.like(offset)
        with m.If(loop.last_k):
            column_step = config.columns >> unit_log2
            m.d.comb += step.eq(
                Mux(by_column, job.b_stride << (exact_log2(config.columns) + beat_log2), column_step)
            )
        with m.Else():
            m.d.comb += step.eq(
                Mux(by_column, group >> unit_log2, job.b_stride << (exact_log2(config.rows) + beat_log2))
            )
        parameter_bits = exact_log2(max(PARAMETER_BYTES * config.columns, config.line_bytes))
        parameters_offset = (loop.n_position << exact_log2(PARAMETER_BYTES)) >> parameter_bits
        start = Signal.like(batch_address)
        start_offset = Signal.like(batch_address)
        first_address = Signal.like(batch_address)
        m.d.comb += [
            next_offset.eq(Mux(loop.last_k, tile_offset, offset) + step),
            start.eq(Mux(send_parameters, job.parameter_address, batch_address)),
            start_offset.eq(
                Mux(send_parameters, parameters_offset << (parameter_bits - bus_log2), offset >> beat_log2)
            ),
            panel.address.eq(start + start_offset),
            first_address.eq(Mux(active, batch_address + job.b_batch_stride, self.jobs.payload.b_address)),
        ]

        accepted = Signal()
        m.d.comb += [
            loader.panels.valid.eq(active),
            accepted.eq(loader.panels.valid & loader.panels.ready),
            loop.advance.eq(accepted & ~send_parameters),
            self.jobs.ready.eq(~active),
            loop.load.eq(self.jobs.valid & self.jobs.ready),
        ]
        with m.If(accepted & send_parameters):
            m.d.sync += parameters_sent.eq(1)
        with m.Elif(loop.advance & loop.last_k):
            m.d.sync += parameters_sent.eq(0)
        with m.If(loop.advance):
            m.d.sync += offset.eq(next_offset)
        with m.If(loop.advance & loop.last_k & loop.last_n):
            m.d.sync += offset.eq(0)
        with m.If(loop.first_k):
            m.d.sync += tile_offset.eq(offset)
        with m.If(~active | (loop.advance & loop.last_k & loop.last_n & loop.last_m)):
            m.d.sync += batch_address.eq(first_address)
        with m.If(loop.load):
            m.d.sync += active.eq(1)
        with m.Elif(loop.advance & loop.last):
            m.d.sync += active.eq(0)
        return m

    def _parameters_end(self, loop):
        """The last byte that is needed of the lines in which a tile's parameters lie."""
        end = loop.n_end
        if self._config.parameter_sets_per_line > 1:
            bits = exact_log2(self._config.line_bytes // PARAMETER_BYTES)
            final, position = loop.n_final, loop.n_position
            end = final[:bits] | (final[bits:] != position[bits:]).replicate(bits)
        return Cat(Const(-1, exact_log2(PARAMETER_BYTES)), end)
