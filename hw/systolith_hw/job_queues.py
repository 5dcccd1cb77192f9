"""Hands every unit its part of the descriptors."""

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from .messages import DescriptorLayout, slot_shape
from .queue import Queue

__all__ = ["JobQueues", "keep_job"]


class JobQueues(wiring.Component):
    """A queue for each unit, with room for all descriptors in flight but the first.

    The first is with the unit, if that has not done its part already. If only one more can be in flight, its
    fields stay with the descriptor fetch: the next one is not read before the first has ended, and by then
    every unit has taken this one. If none can, the unit uses them there: see :func:`keep_job`.

    Parameters
    ----------
    config : ArrayConfig
    layouts : dict of str to Job
        Of each unit, by its name.

    Members
    -------
    dispatch : 1
        ``descriptor`` is to be run as ``slot``; there is room for it.
    descriptor : DescriptorLayout
        Stays until the next one is read.
    slot : slot_shape
    NAME : stream of Job
        Of each unit. Back-pressure is honoured.

    Latency
    -------
    ``LATENCY`` cycles from ``dispatch`` to a job, if the unit has none waiting.
    """

    LATENCY = Queue.LATENCY

    def __init__(self, config, layouts):
        self._config = config
        self._layouts = layouts
        super().__init__(
            {
                "dispatch": In(1),
                "descriptor": In(DescriptorLayout()),
                "slot": In(slot_shape(config)),
                **{name: Out(stream.Signature(layout)) for name, layout in layouts.items()},
            }
        )

    def elaborate(self, platform):
        m = Module()
        slots = self._config.descriptor_slots
        fields_stay = slots <= 2
        slot = Signal.like(self.slot)
        with m.If(self.dispatch):
            m.d.sync += slot.eq(self.slot)
        for name, layout in self._layouts.items():
            jobs = getattr(self, name)
            m.submodules[name] = queue = Queue(0 if fields_stay else layout, depth=max(1, slots - 1))
            m.d.comb += [
                queue.i.valid.eq(self.dispatch),
                jobs.valid.eq(queue.o.valid),
                queue.o.ready.eq(jobs.ready),
            ]
            if fields_stay:
                target, values = jobs.payload, layout.values(self.descriptor, slot)
            else:
                target, values = queue.i.payload, layout.values(self.descriptor, self.slot)
                m.d.comb += jobs.payload.eq(queue.o.payload)
            m.d.comb += [target[field].eq(value) for field, value in values.items()]
        return m


def keep_job(m, config, jobs):
    """The job that a unit accepted last.

    Parameters
    ----------
    m : Module
        The unit's.
    config : ArrayConfig
    jobs : stream of Job

    Returns
    -------
    View of Job
    """
    if config.descriptor_slots == 1:
        return jobs.payload
    job = Signal(jobs.payload.shape(), name="job")
    with m.If(jobs.valid & jobs.ready):
        m.d.sync += job.eq(jobs.payload)
    return job
