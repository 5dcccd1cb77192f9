"""Fetches A ahead of the array: every block of rows once, a group of lines along K at a time."""

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped
from amaranth.utils import bits_for, exact_log2

from .loops import TileLoop
from .messages import Job, Order, RowRequest, Target
from .panel_loader import PanelLoader

__all__ = ["ALoader"]


class ALoader(wiring.Component):
    """Requests the panels of A in the order of their use.

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
    free, reserve : range(a_buffer_lines + 1)
        To the A buffer.
    busy : 1
    """

    def __init__(self, config):
        self._config = config
        depth = config.a_buffer_lines
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
        fields = ("m", "k", "batch", "m_block", "a_address", "a_stride", "a_batch_stride")
        return Job(config, *fields)

    def elaborate(self, platform):
        m = Module()
        config = self._config
        group = config.burst_lines * config.line_bytes
        m.submodules.loop = loop = TileLoop(config, max_k_step=group)
        m.submodules.panels = loader = PanelLoader(
            config, depth=config.a_buffer_lines, target=Target.A_BUFFER
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
        m.d.comb += [
            loop.k_step.eq(group),
            loop.dimensions.m.eq(self.jobs.payload.m),
            loop.dimensions.k.eq(self.jobs.payload.k),
            loop.dimensions.n.eq(1),
            loop.dimensions.batch.eq(self.jobs.payload.batch),
            loop.dimensions.m_block.eq(self.jobs.payload.m_block),
        ]

        batch_address = Signal.like(job.a_address)
        block_address = Signal.like(job.a_address)
        block = Signal.like(self.order.block)
        panel = loader.panels.payload
        m.d.comb += [
            panel.address.eq(block_address + loop.k_position),
            panel.stride.eq(job.a_stride),
            panel.rows.eq(loop.m_rows),
            panel.lines.eq((loop.k_depth + config.line_bytes - 1) >> exact_log2(config.line_bytes)),
            panel.beats.eq((loop.k_depth + config.bus_bytes - 1) >> exact_log2(config.bus_bytes)),
            panel.order.line.eq(loop.k_position >> exact_log2(config.line_bytes)),
            panel.order.block.eq(block),
            panel.slot.eq(job.slot),
        ]

        # The next block of the same matrix starts where the walk over this one ends.
        await_address = Signal()
        last_group = Signal.like(loop.k_position)

        m.d.comb += [
            loader.panels.valid.eq(active & ~await_address),
            loop.advance.eq(loader.panels.valid & loader.panels.ready),
            self.jobs.ready.eq(~active),
            loop.load.eq(self.jobs.valid & self.jobs.ready),
        ]
        with m.If(loop.advance & loop.last_k):
            m.d.sync += block.eq(block + 1)
            with m.If(loop.last):
                m.d.sync += active.eq(0)
            with m.Elif(loop.last_m):
                m.d.sync += [
                    batch_address.eq(batch_address + job.a_batch_stride),
                    block_address.eq(batch_address + job.a_batch_stride),
                ]
            with m.Else():
                m.d.sync += [await_address.eq(1), last_group.eq(loop.k_position)]
        with m.If(await_address & loader.idle):
            m.d.sync += [await_address.eq(0), block_address.eq(loader.end_address - last_group)]
        with m.If(loop.load):
            m.d.sync += [
                active.eq(1),
                job.eq(self.jobs.payload),
                batch_address.eq(self.jobs.payload.a_address),
                block_address.eq(self.jobs.payload.a_address),
            ]
        return m
