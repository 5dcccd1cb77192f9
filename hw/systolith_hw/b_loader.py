"""Streams B and the epilogue parameters: one tile after the other, in the order of their use."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped
from amaranth.utils import bits_for, exact_log2

from .config import PARAMETER_BYTES
from .descriptor import BLayout
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
        m.submodules.loop = loop = TileLoop(config, max_k_step=max(group, config.rows))
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

        job = Signal(self.job_layout(config))
        active = Signal()
        m.d.comb += self.busy.eq(active | ~loader.idle)
        by_column = Signal()
        begins_by_column = Signal()
        m.d.comb += [
            by_column.eq(job.b_layout == BLayout.NK),
            begins_by_column.eq(Mux(active, job.b_layout, self.jobs.payload.b_layout) == BLayout.NK),
            loop.k_step.eq(Mux(begins_by_column, group, config.rows)),
            loop.dimensions.m.eq(self.jobs.payload.m),
            loop.dimensions.k.eq(self.jobs.payload.k),
            loop.dimensions.n.eq(self.jobs.payload.n),
            loop.dimensions.batch.eq(self.jobs.payload.batch),
            loop.dimensions.m_block.eq(self.jobs.payload.m_block),
        ]

        parameters_sent = Signal()
        send_parameters = Signal()
        batch_address = Signal.like(job.b_address)
        n_offset = Signal.like(job.b_address)
        k_offset = Signal.like(job.b_address)
        block = Signal.like(self.order.block)

        panel = loader.panels.payload
        row_bytes = Signal(range(max(group, config.parameter_lines * config.line_bytes) + 1))
        line_log2 = exact_log2(config.line_bytes)
        m.d.comb += [
            send_parameters.eq(job.parameters & loop.first_k & ~parameters_sent),
            panel.stride.eq(job.b_stride),
            panel.beats.eq((row_bytes + config.bus_bytes - 1) >> exact_log2(config.bus_bytes)),
            panel.order.line.eq(loop.k_position >> line_log2),
            panel.order.later_sweep.eq(~loop.first_n),
            panel.order.block.eq(block),
            panel.slot.eq(job.slot),
        ]
        with m.If(send_parameters):
            offset, in_set = _split(
                loop.n_position * PARAMETER_BYTES, config.parameter_lines * config.line_bytes
            )
            m.d.comb += [
                panel.address.eq(job.parameter_address + offset),
                panel.rows.eq(1),
                panel.lines.eq(config.parameter_lines),
                row_bytes.eq(
                    _sum_at_most(
                        loop.n_left << exact_log2(PARAMETER_BYTES),
                        in_set,
                        config.parameter_lines * config.line_bytes,
                    )
                ),
            ]
        with m.Elif(by_column):
            m.d.comb += [
                panel.address.eq(batch_address + n_offset + k_offset),
                panel.rows.eq(loop.n_columns),
                panel.lines.eq((loop.k_depth + config.line_bytes - 1) >> line_log2),
                row_bytes.eq(loop.k_depth),
            ]
        with m.Else():
            # Only the beats that hold the tile's columns, from the line's start on.
            offset, in_beat = _split(loop.n_position, max(config.bus_bytes, config.columns))
            m.d.comb += [
                panel.address.eq(batch_address + offset + k_offset),
                panel.rows.eq(loop.k_depth),
                panel.lines.eq(1),
                row_bytes.eq(_sum_at_most(loop.n_left, in_beat, max(config.bus_bytes, config.columns))),
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
        with m.If(loop.advance):
            m.d.sync += k_offset.eq(k_offset + Mux(by_column, group, job.b_stride << exact_log2(config.rows)))
            with m.If(loop.last_k):
                m.d.sync += [
                    parameters_sent.eq(0),
                    k_offset.eq(0),
                    n_offset.eq(n_offset + (job.b_stride << exact_log2(config.columns))),
                ]
                with m.If(loop.last_n):
                    m.d.sync += [n_offset.eq(0), block.eq(block + 1)]
                    with m.If(loop.last_m):
                        m.d.sync += batch_address.eq(batch_address + job.b_batch_stride)
            with m.If(loop.last):
                m.d.sync += active.eq(0)
        with m.If(loop.load):
            m.d.sync += [
                active.eq(1),
                job.eq(self.jobs.payload),
                batch_address.eq(self.jobs.payload.b_address),
                parameters_sent.eq(0),
                n_offset.eq(0),
                k_offset.eq(0),
            ]
        return m


def _split(value, modulus):
    """``value`` rounded down to a multiple of a power of two, and the rest."""
    bits = exact_log2(modulus)
    return (value >> bits) << bits, value[:bits]


def _sum_at_most(value, rest, limit):
    """The sum of a value and what is less than a power of two, at most that power."""
    bits = exact_log2(limit)
    low = value[: bits + 1] + rest
    return Mux(value[bits + 1 :].any() | (low > limit), limit, low[: bits + 1])
