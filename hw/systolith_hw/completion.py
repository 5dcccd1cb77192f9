"""Ends descriptors in order: collects faults and counters, writes the completion record."""

import functools
import operator

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from .counters import CounterRead
from .descriptor import COMPLETION_FIELDS, RECORD_BYTES, SLOT_BYTES, Code
from .descriptor_fetch import InFlight
from .messages import RowWrite, WriteData, slot_shape
from .queue import Queue

__all__ = ["Completion"]


class Completion(wiring.Component):
    """Waits until a descriptor's results are in memory, then writes its record.

    Parameters
    ----------
    config : ArrayConfig

    Members
    -------
    in_flight : stream of InFlight
        Descriptors in order.
    stored : 1
        The results of one more descriptor are in memory.
    read_fault, read_fault_slot, read_fault_address
    write_fault, write_fault_slot, write_fault_address
        From the DMAs.
    close : 1
    counters : CounterRead
        To and from the cycle counters.
    records : stream of RowWrite
    record_beats : stream of WriteData
        To the write DMA.
    slot_release : 1
    ended : 1
        The results of the oldest descriptor in flight are in memory.
    """

    def __init__(self, config):
        self._config = config
        self._fault_layout = data.StructLayout({"code": Code, "address": config.address_bits})
        faults = {
            f"{kind}_fault{suffix}": In(shape)
            for kind in ("read", "write")
            for suffix, shape in (("", 1), ("_slot", slot_shape(config)), ("_address", config.address_bits))
        }
        super().__init__(
            {
                "in_flight": In(stream.Signature(InFlight(config))),
                "stored": In(1),
                **faults,
                "close": Out(1),
                "counters": Out(CounterRead(config)),
                "records": Out(stream.Signature(RowWrite(config))),
                "record_beats": Out(stream.Signature(WriteData(config))),
                "slot_release": Out(1),
                "ended": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config = self._config
        # Of the only one in flight, what the descriptor fetch says stays.
        stays = config.descriptor_slots == 1
        m.submodules.queue = queue = Queue(0 if stays else InFlight(config), depth=config.descriptor_slots)
        entry = self.in_flight.payload if stays else queue.o.payload
        m.d.comb += [
            queue.i.valid.eq(self.in_flight.valid),
            self.in_flight.ready.eq(queue.i.ready),
        ]
        if not stays:
            m.d.comb += queue.i.payload.eq(self.in_flight.payload)
        faults = self._collect_faults(m, entry.slot)

        stored = Signal(range(config.descriptor_slots + 1))
        counters = self.counters
        was_run = Signal()
        beats = RECORD_BYTES // config.bus_bytes
        beat = Signal(range(beats))
        next_beat = Signal.like(beat)
        m.d.comb += next_beat.eq(beat + (self.record_beats.valid & self.record_beats.ready))
        m.d.sync += beat.eq(next_beat)
        last_beat = Signal(init=beats == 1)
        end = Signal()
        with m.FSM() as fsm:
            with m.State("WAIT"):
                with m.If(queue.o.valid & ~was_run):
                    m.d.comb += end.eq(1)
                with m.Elif(queue.o.valid & (stored != 0)):
                    m.d.comb += [self.close.eq(~counters.valid), end.eq(counters.valid)]
                with m.If(end):
                    m.next = "ANNOUNCE"
            with m.State("ANNOUNCE"):
                m.d.comb += self.records.valid.eq(1)
                with m.If(self.records.ready):
                    m.next = "WRITE"
            with m.State("WRITE"):
                m.d.comb += self.record_beats.valid.eq(1)
                with m.If(self.record_beats.ready):
                    m.d.sync += last_beat.eq(beats == 1 or beat == beats - 2)
                    with m.If(last_beat):
                        m.next = "RELEASE"
            with m.State("RELEASE"):
                m.d.comb += self.slot_release.eq(1)
                m.next = "WAIT"
        m.d.comb += [
            self.ended.eq(~fsm.ongoing("WAIT")),
            was_run.eq(entry.code == Code.OK),
            counters.release.eq(self.slot_release & was_run),
            counters.show.eq(was_run),
            counters.beat.eq(next_beat),
        ]
        m.d.sync += stored.eq(stored + self.stored - counters.release)

        fault = Signal(self._fault_layout)
        known = {
            "code": Mux(fault.code != Code.PENDING, fault.code, entry.code),
            "reason": entry.reason,
            "fault_address": fault.address,
            "tag": entry.tag,
        }
        contents = Signal(config.axi_data_bits)
        record_address = Cat(Const(RECORD_BYTES, exact_log2(SLOT_BYTES)), entry.address)
        m.d.comb += [
            fault.eq(faults[entry.slot]),
            queue.o.ready.eq(self.slot_release),
            self.records.payload.address.eq(record_address >> exact_log2(config.bus_bytes)),
            self.records.payload.beats.eq(beats),
            self.records.payload.slot.eq(entry.slot),
            self.records.payload.interrupt.eq(entry.interrupt),
            self.record_beats.payload.data.eq(contents),
            self.record_beats.payload.strobe.eq(-1),
        ]
        shown = [word << 32 * number for number, word in enumerate(counters.words)]
        for name, value in known.items():
            field = COMPLETION_FIELDS[name]
            in_beat, bit = divmod(32 * field.word + field.lsb, config.axi_data_bits)
            is_shown = Signal(name=f"shows_{name}")
            m.d.sync += is_shown.eq(next_beat == in_beat)
            shown.append(Mux(is_shown, value, 0) << bit)
        m.d.comb += contents.eq(functools.reduce(operator.or_, shown))
        return m

    def _collect_faults(self, m, released_slot):
        """The first fault of every slot since it was last released."""
        faults = Signal(data.ArrayLayout(self._fault_layout, self._config.descriptor_slots))
        for slot in range(self._config.descriptor_slots):
            fault = faults[slot]
            with m.If(self.slot_release & (released_slot == slot)):
                m.d.sync += fault.eq(0)
            with m.Elif(fault.code == Code.PENDING):
                with m.If(self.read_fault & (self.read_fault_slot == slot)):
                    m.d.sync += [
                        fault.code.eq(Code.READ_ERROR),
                        fault.address.eq(self.read_fault_address),
                    ]
                with m.Elif(self.write_fault & (self.write_fault_slot == slot)):
                    m.d.sync += [
                        fault.code.eq(Code.WRITE_ERROR),
                        fault.address.eq(self.write_fault_address),
                    ]
        return faults
