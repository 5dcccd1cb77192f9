"""Fetches A ahead of the array: every block of rows once, a group of lines along K at a time."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped
from amaranth.utils import bits_for, exact_log2

from .counting import next_count
from .job_queues import keep_job
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
        m.submodules.loop = loop = TileLoop(config, k_steps=(group,), over_n=False)
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

        job = keep_job(m, config, self.jobs)
        active = Signal()
        m.d.comb += self.busy.eq(active | ~loader.idle)
        m.d.comb += [
            loop.dimensions.m.eq(self.jobs.payload.m),
            loop.dimensions.k.eq(self.jobs.payload.k),
            loop.dimensions.batch.eq(self.jobs.payload.batch),
            loop.dimensions.m_block.eq(self.jobs.payload.m_block),
        ]

        # A block starts where the walk over the first group of the one before ends, and the first one with
        # its matrix; each further panel a group behind the one before.
        batch_address = Signal.like(job.a_address)
        block_address = Signal.like(job.a_address)
        first_m = Signal(init=1)
        beat_bits = exact_log2(group // config.bus_bytes)
        panel = loader.panels.payload
        panel_before = loader.staged_address
        beat_in_group = Mux(loop.first_k, block_address, panel_before)[:beat_bits]
        group_address = next_count(
            panel_before[beat_bits:], loads=loop.first_k, value=block_address[beat_bits:]
        )
        m.d.comb += [
            block_address.eq(Mux(first_m, batch_address, loader.end_address)),
            panel.address.eq(Cat(beat_in_group, group_address)),
            panel.stride.eq(job.a_stride),
            panel.rows.eq(loop.m_rows),
            panel.line_end.eq(loop.k_end >> exact_log2(config.line_bytes)),
            panel.beats.eq((loop.k_end >> exact_log2(config.bus_bytes)) + 1),
            panel.line.eq(loop.k_position >> exact_log2(config.line_bytes)),
            panel.begins_block.eq(loop.first_k),
            panel.slot.eq(job.slot),
        ]

        await_address = Signal()
        m.d.comb += [
            loader.panels.valid.eq(active & ~await_address),
            loop.advance.eq(loader.panels.valid & loader.panels.ready),
            self.jobs.ready.eq(~active),
            loop.load.eq(self.jobs.valid & self.jobs.ready),
        ]
        with m.If(loop.advance & loop.last_k):
            m.d.sync += [active.eq(~loop.last), await_address.eq(~loop.last_m), first_m.eq(loop.last_m)]
        with m.If(await_address & loader.idle):
            m.d.sync += await_address.eq(0)
        with m.If(loop.load):
            m.d.sync += active.eq(1)
        with m.If(~active | (loop.advance & loop.last_k & loop.last_m)):
            m.d.sync += batch_address.eq(
                Mux(active, batch_address + job.a_batch_stride, self.jobs.payload.a_address)
            )
        return m
