"""Charges every busy cycle to one descriptor and one cause."""

from amaranth.hdl import C, Cat, Module, Mux, Signal
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from .descriptor import COMPLETION_FIELDS, RECORD_BYTES
from .pass_sequencer import Activity

__all__ = ["CounterRead", "CycleCounters"]

WORD_BITS = 32
CAUSES = {
    name: COMPLETION_FIELDS[name].word
    for name in ("compute", "wait_a", "wait_b", "wait_output", "fill", "drain")
}
"""Why a cycle passed, and the word of the completion record that counts such cycles."""


class CounterRead(wiring.Signature):
    """The counters of the oldest descriptor that has ended, from whoever reads them.

    ``valid`` is set while there are any, until ``release``. From the next cycle on they may be asked for with
    ``show``: in the cycle after that, ``words`` are those of beat ``beat`` of the completion record, zero
    where it has something else. Without ``show``, they are zero.
    """

    def __init__(self, config):
        words = config.axi_data_bits // WORD_BITS
        super().__init__(
            {
                "valid": In(1),
                "release": Out(1),
                "show": Out(1),
                "beat": Out(bits_for(RECORD_BYTES // config.bus_bytes - 1)),
                "words": In(data.ArrayLayout(config.counter_bits, words)),
            }
        )


class CycleCounters(wiring.Component):
    """The cycle counters of the descriptor in charge.

    The charge passes to the next descriptor when the pass sequencer accepts it, or ends with its
    completion, whichever comes first.

    A cycle has one cause, so one adder counts all of them, in a memory that has a bank for each descriptor
    in flight, or two. A bank's word counts once it has been written since the charge began.

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
    results : CounterRead
        Of each descriptor that was run, in order.

    Latency
    -------
    ``LATENCY`` cycles from ``begin`` or ``close`` to a result.
    """

    LATENCY = 3

    def __init__(self, config):
        self._config = config
        super().__init__(
            {
                "busy": In(1),
                "activity": In(Activity),
                "begin": In(1),
                "close": In(1),
                "results": In(CounterRead(config)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        # What was counted last is read while the next one may fill.
        banks = max(2, self._config.descriptor_slots)
        busy, activity, begin, close = (
            Signal.like(getattr(self, name), name=name) for name in ("busy", "activity", "begin", "close")
        )
        m.d.sync += [
            busy.eq(self.busy),
            activity.eq(self.activity),
            begin.eq(self.begin),
            close.eq(self.close),
        ]
        charged = Signal()
        waits = Signal()
        finish = Signal()
        m.d.comb += finish.eq((begin | (close & ~waits)) & charged)
        with m.If(begin):
            m.d.sync += charged.eq(1)
        with m.Elif(close & ~waits):
            m.d.sync += charged.eq(0)

        cause = Signal(range(len(CAUSES)))
        numbers = {name: number for number, name in enumerate(CAUSES)}
        with m.Switch(activity):
            for each in (Activity.COMPUTE, Activity.WAIT_A, Activity.WAIT_B, Activity.WAIT_OUTPUT):
                with m.Case(each):
                    m.d.comb += cause.eq(numbers[each.name.lower()])
            with m.Default():
                m.d.comb += cause.eq(Mux(charged, numbers["drain"], numbers["fill"]))

        # A charge begins in the cycle after another was finished. What belongs to nobody is forgotten.
        bank = Signal(range(banks))
        begins = Signal()
        seen = Signal(len(CAUSES))
        m.d.sync += begins.eq(finish | ~(charged | busy))
        with m.If(begins):
            m.d.sync += seen.eq(busy << cause)
        with m.Else():
            m.d.sync += seen.eq(seen | (busy << cause))
        with m.If(finish):
            m.d.sync += bank.eq(bank + 1)

        finished = Signal()
        m.d.sync += finished.eq(finish)
        oldest = self._hand_over(m, finished, waits, banks)
        slots = self._config.descriptor_slots
        m.submodules.ended = ended = memory.Memory(shape=len(seen), depth=slots, init=[])
        # The only one is in registers already.
        write, read = ended.write_port(), ended.read_port(domain="comb" if slots == 1 else "sync")
        m.d.comb += [
            write.en.eq(finished),
            write.addr.eq(bank - 1),
            write.data.eq(seen),
            read.addr.eq(oldest),
        ]
        counts = self._count(m, busy, cause, bank, begins | ~seen.bit_select(cause, 1), oldest)
        self._show(m, counts, read.data)
        return m

    def _hand_over(self, m, finished, waits, banks):
        """Tell that there are results; return the bank of the oldest."""
        untaken = Signal(range(banks + 1))
        oldest = Signal(range(banks))
        valid, release = self.results.valid, self.results.release
        m.d.comb += waits.eq(finished | valid)
        with m.If(finished & ~release):
            m.d.sync += [untaken.eq(untaken + 1), valid.eq(1)]
        with m.If(release & ~finished):
            m.d.sync += [untaken.eq(untaken - 1), valid.eq(untaken != 1)]
        with m.If(release):
            m.d.sync += oldest.eq(oldest + 1)
        return oldest

    def _count(self, m, busy, cause, bank, is_new, oldest):
        """Add one to a cause's word: read it, then write it. Return what the reader's beat holds, by word.

        The words of a beat of the completion record are in as many memories.
        """
        words = len(self.results.words)
        first_row = min(CAUSES.values()) // words
        rows = max(CAUSES.values()) // words + 1 - first_row
        place = data.StructLayout({"row": bits_for(rows - 1), "bank": bank.shape()})
        now, then, asked = (Signal(place, name=name) for name in ("now", "then", "asked"))
        column, column_then = (Signal(bits_for(words - 1), name=name) for name in ("column", "column_then"))
        with m.Switch(cause):
            for number, word in enumerate(CAUSES.values()):
                with m.Case(number):
                    m.d.comb += [now.row.eq(word // words - first_row), column.eq(word % words)]
        m.d.comb += [now.bank.eq(bank), asked.row.eq(self.results.beat - first_row), asked.bank.eq(oldest)]

        # What was written in the last cycle cannot be read yet.
        counts, restarts, repeats = (Signal(name=name) for name in ("counts", "restarts", "repeats"))
        last, before, count = (
            Signal(self._config.counter_bits, name=name) for name in ("last", "before", "count")
        )
        m.d.comb += count.eq(Mux(restarts, 0, Mux(repeats, last, before)) + 1)
        m.d.sync += [
            counts.eq(busy),
            restarts.eq(is_new),
            repeats.eq(counts & (now == then) & (column == column_then)),
            then.eq(now),
            column_then.eq(column),
            last.eq(count),
        ]
        found = [C(0)] * words
        for number in sorted({word % words for word in CAUSES.values()}):
            store = memory.Memory(shape=len(count), depth=1 << len(now.as_value()), init=[])
            m.submodules[f"words_{number}"] = store
            write, read, show = store.write_port(), store.read_port(), store.read_port()
            m.d.comb += [
                write.en.eq(counts & (column_then == number)),
                write.addr.eq(then),
                write.data.eq(count),
                read.addr.eq(now),
                show.addr.eq(asked),
            ]
            with m.If(column_then == number):
                m.d.comb += before.eq(read.data)
            found[number] = show.data
        return found

    def _show(self, m, counts, seen):
        """Offer the words of the reader's beat."""
        results = self.results
        words = len(counts)
        for number, (word, count) in enumerate(zip(results.words, counts, strict=True)):
            is_counted = [
                seen[cause] & (results.beat == place // words)
                for cause, place in enumerate(CAUSES.values())
                if place % words == number
            ]
            shown = Signal(name=f"shown_{number}")
            m.d.sync += shown.eq(results.show & Cat(is_counted).any())
            m.d.comb += word.eq(Mux(shown, count, 0))
