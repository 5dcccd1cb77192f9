"""Charges every busy cycle to one descriptor and one cause."""

from amaranth.hdl import Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from .pass_sequencer import Activity
from .queue import Queue

__all__ = ["CounterLayout", "CycleCounters"]


class CounterLayout(data.StructLayout):
    """The counters of a completion record, in its order."""

    def __init__(self, config):
        names = ("total", "compute", "wait_a", "wait_b", "wait_output", "fill", "drain")
        super().__init__(dict.fromkeys(names, config.counter_bits))


class CycleCounters(wiring.Component):
    """The cycle counters of the descriptor in charge.

    The charge passes to the next descriptor when the pass sequencer accepts it, or ends with its
    completion, whichever comes first.

    Parameters
    ----------
    config : ArrayConfig

    Members
    -------
    busy : 1
        Descriptors are submitted and not completed: the cycle counts.
    activity : Activity
    begin : 1
        The pass sequencer accepts a descriptor in this cycle.
    close : 1
        The oldest descriptor without a result has completed: it is in charge no more. Without effect while a
        result waits, for that is the one that has completed.
    results : stream of CounterLayout
        One for each descriptor that was run, in order. There is room for those of all but one descriptor in
        flight.

    Latency
    -------
    ``LATENCY`` cycles from ``begin`` or ``close`` to a result.
    """

    LATENCY = 1 + Queue.LATENCY

    def __init__(self, config):
        self._config = config
        super().__init__(
            {
                "busy": In(1),
                "activity": In(Activity),
                "begin": In(1),
                "close": In(1),
                "results": Out(stream.Signature(CounterLayout(config))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        layout, slots = CounterLayout(self._config), self._config.descriptor_slots
        m.submodules.queue = queue = Queue(layout, depth=slots - 1)
        wiring.connect(m, wiring.flipped(self.results), queue.o)

        busy, activity, begin, close = (
            Signal.like(port, name=name)
            for name, port in (
                ("busy", self.busy),
                ("activity", self.activity),
                ("begin", self.begin),
                ("close", self.close),
            )
        )
        charged = Signal()
        counts = Signal(layout)
        updated = Signal(layout)
        untaken = Signal(range(slots + 2))
        waits = Signal()
        finish = Signal()
        m.d.comb += [
            updated.eq(counts),
            finish.eq((begin | (close & ~waits)) & charged),
            queue.i.payload.eq(updated),
            queue.i.valid.eq(finish),
        ]
        m.d.sync += [
            busy.eq(self.busy),
            activity.eq(self.activity),
            begin.eq(self.begin),
            close.eq(self.close),
        ]
        with m.If(busy):
            m.d.comb += updated.total.eq(counts.total + 1)
            with m.Switch(activity):
                with m.Case(Activity.COMPUTE):
                    m.d.comb += updated.compute.eq(counts.compute + 1)
                with m.Case(Activity.WAIT_A):
                    m.d.comb += updated.wait_a.eq(counts.wait_a + 1)
                with m.Case(Activity.WAIT_B):
                    m.d.comb += updated.wait_b.eq(counts.wait_b + 1)
                with m.Case(Activity.WAIT_OUTPUT):
                    m.d.comb += updated.wait_output.eq(counts.wait_output + 1)
                with m.Default():
                    with m.If(charged):
                        m.d.comb += updated.drain.eq(counts.drain + 1)
                    with m.Else():
                        m.d.comb += updated.fill.eq(counts.fill + 1)
        m.d.sync += counts.eq(updated)
        with m.If(finish | (~charged & ~busy)):
            m.d.sync += counts.eq(0)
        with m.If(begin):
            m.d.sync += charged.eq(1)
        with m.Elif(close & ~waits):
            m.d.sync += charged.eq(0)

        taken = queue.o.valid & queue.o.ready
        with m.If(finish & ~taken):
            m.d.sync += [untaken.eq(untaken + 1), waits.eq(1)]
        with m.If(taken & ~finish):
            m.d.sync += [untaken.eq(untaken - 1), waits.eq(untaken != 1)]
        return m
