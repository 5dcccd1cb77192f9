"""Fetches descriptors ahead, checks them, and hands every unit its part."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for, exact_log2

from .config import K_MAX
from .descriptor import (
    ADDRESS_FIELDS,
    DESCRIPTOR_FIELDS,
    RECORD_BYTES,
    SIZE_FIELDS,
    SLOT_BYTES,
    Code,
    Output,
    Reject,
    kept_bits,
)
from .messages import DescriptorLayout, RowRequest, Target, slot_shape
from .registers import RING_COUNT_BITS

__all__ = ["DescriptorFetch", "InFlight"]

OPCODE_GEMM = 1


SLOT_LOG2 = exact_log2(SLOT_BYTES)


class InFlight(data.StructLayout):
    """What the completion of a descriptor needs to know of it; ``address`` is its ring slot's, in slots."""

    def __init__(self, config):
        super().__init__(
            {
                "tag": 32,
                "interrupt": 1,
                "code": Code,
                "reason": Reject,
                "address": config.address_bits - SLOT_LOG2,
                "slot": slot_shape(config),
            }
        )


class DescriptorFetch(wiring.Component):
    """Reads the descriptor ring, one descriptor at a time, while slots are free.

    Parameters
    ----------
    config : ArrayConfig

    Members
    -------
    enable : 1
    ring_base, ring_size, ring_tail
        As in the registers.
    requests : stream of RowRequest
        To the read DMA. Back-pressure is honoured.
    beat_valid, beat, beat_fault
        Beats of a descriptor from the read DMA.
    slot_release : 1
        A descriptor has completed.
    dispatch : 1
        ``descriptor`` is to be run as ``in_flight.slot``; its queues have room.
    descriptor : DescriptorLayout
        Stays until the next one is read.
    in_flight : stream of InFlight
        Every descriptor, also those that are not to be run; always ready. What it tells stays until the next
        one is requested.
    in_flight_count : range(descriptor_slots + 1)
        Descriptors between fetch and completion.
    submitted : 1
        Descriptors are submitted and not in flight yet.
    busy : 1

    Latency
    -------
    :meth:`check_cycles` from the cycle after the last beat to ``in_flight``.
    """

    def __init__(self, config):
        self._config = config
        super().__init__(
            {
                "enable": In(1),
                "ring_base": In(32),
                "ring_size": In(4),
                "ring_tail": In(RING_COUNT_BITS),
                "requests": Out(stream.Signature(RowRequest(config))),
                "beat_valid": In(1),
                "beat": In(config.axi_data_bits),
                "beat_fault": In(1),
                "slot_release": In(1),
                "dispatch": Out(1),
                "descriptor": Out(DescriptorLayout()),
                "in_flight": Out(stream.Signature(InFlight(config))),
                "in_flight_count": Out(range(config.descriptor_slots + 1)),
                "submitted": Out(1),
                "busy": Out(1),
            }
        )

    @staticmethod
    def check_cycles(config):
        """Cycles that checking a descriptor takes: one for each bit of a block's rows, and one to compare."""
        return bits_for(config.accumulator_rows) + 1

    def elaborate(self, platform):
        m = Module()
        config = self._config
        next_index = Signal(RING_COUNT_BITS)
        slot = Signal(slot_shape(config))
        beats = RECORD_BYTES // config.bus_bytes
        request = self.requests.payload
        address = Signal(config.address_bits - SLOT_LOG2)
        m.d.comb += [
            request.address.eq(address << SLOT_LOG2),
            request.beats.eq(beats),
            request.target.eq(Target.DESCRIPTOR),
            request.slot.eq(slot),
        ]
        beats_left = Signal(range(beats + 1), init=beats)
        fault = Signal()
        failures = Signal(len(Reject))

        # How many lines a block has is multiplied out bit by bit, from the highest bit of m_block on; a one
        # behind the lowest tells that none is left.
        k_lines = Signal(range(K_MAX // config.line_bytes + 2))
        block_lines = Signal(max(len(k_lines), bits_for(config.a_buffer_lines)) + 1)
        m_block_left = Signal(1 + bits_for(config.accumulator_rows))

        wanted = Signal()
        with m.FSM() as fsm:
            m.d.comb += self.busy.eq(~fsm.ongoing("IDLE"))
            m.d.comb += [
                self.submitted.eq(next_index != self.ring_tail),
                wanted.eq(self.enable & self.submitted & (self.in_flight_count != config.descriptor_slots)),
            ]
            with m.State("IDLE"):
                m.d.sync += self.requests.valid.eq(wanted)
                with m.If(wanted):
                    ring_slot = next_index & ((1 << self.ring_size) - 1)
                    m.d.sync += address.eq((self.ring_base >> SLOT_LOG2) + ring_slot)
                with m.If(self.requests.valid & self.requests.ready):
                    m.d.sync += [
                        self.requests.valid.eq(0),
                        beats_left.eq(beats),
                        fault.eq(0),
                        failures.eq(0),
                        block_lines.eq(0),
                    ]
                    m.next = "COLLECT"
            with m.State("COLLECT"):
                with m.If(self.beat_valid):
                    m.d.sync += [
                        beats_left.eq(beats_left - 1),
                        fault.eq(fault | self.beat_fault),
                    ]
                    with m.Switch(beats_left):
                        for index in range(beats):
                            with m.Case(beats - index):
                                fields = self._fields(index)
                                m.d.sync += failures.eq(failures | self._failures(fields))
                                m.d.sync += [self.descriptor[name].eq(fields[name]) for name in fields]
                                if "k" in fields:
                                    m.d.sync += k_lines.eq(_lines(config, fields["k"]))
                                if "m_block" in fields:
                                    m.d.sync += m_block_left.eq(Cat(1, fields["m_block"]))
                    with m.If(beats_left == 1):
                        m.next = "CHECK"
            with m.State("CHECK"):
                m.d.sync += [
                    m_block_left.eq(m_block_left << 1),
                    block_lines.eq((block_lines << 1) + Mux(m_block_left[-1], k_lines, 0)),
                ]
                with m.If(block_lines > config.a_buffer_lines):
                    m.d.sync += failures[Reject.CAPACITY].eq(1)
                with m.If(m_block_left[:-1] == 0):
                    m.next = "DISPATCH"
            with m.State("DISPATCH"):
                m.d.comb += [
                    self.in_flight.valid.eq(1),
                    self.dispatch.eq(self.in_flight.payload.code == Code.OK),
                ]
                m.d.sync += [next_index.eq(next_index + 1), slot.eq((slot + 1) % config.descriptor_slots)]
                m.next = "IDLE"

        self._judge(m, failures, fault, address, slot)
        m.d.sync += self.in_flight_count.eq(self.in_flight_count + self.in_flight.valid - self.slot_release)
        return m

    def _fields(self, index):
        """The fields that a beat brings, by name."""
        words = self._config.axi_data_bits // 32
        places = {name: (field.word - index * words, field) for name, field in DESCRIPTOR_FIELDS.items()}
        return {
            name: self.beat.word_select(word, 32)[field.lsb : field.lsb + field.width]
            for name, (word, field) in places.items()
            if 0 <= word < words
        }

    def _failures(self, fields):
        """One bit per reason to reject for which these fields are enough."""
        config = self._config
        found = {reason: [] for reason in Reject}
        for name, value in fields.items():
            found[Reject.WIDTH].append(value[kept_bits(config, name) :].any())
            if name.startswith("reserved"):
                found[Reject.OPCODE].append(value.any())
            elif name in SIZE_FIELDS:
                found[Reject.ZERO_SIZE].append(value == 0)
            elif name in ADDRESS_FIELDS:
                found[Reject.ALIGNMENT].append(value[: exact_log2(config.bus_bytes)].any())
        if "opcode" in fields:
            found[Reject.OPCODE].append(fields["opcode"] != OPCODE_GEMM)
            found[Reject.PARAMETERS].append((fields["output"] == Output.INT8) & ~fields["parameters"])
        if "k" in fields:
            found[Reject.OVERFLOW_POSSIBLE].append(fields["k"] > K_MAX)
        if "m_block" in fields:
            found[Reject.CAPACITY].append(fields["m_block"] > config.accumulator_rows)
        return Cat(Cat(conditions).any() for conditions in found.values())

    def _judge(self, m, failures, fault, address, slot):
        """Say what becomes of the descriptor."""
        entry = self.in_flight.payload
        m.d.comb += [
            entry.tag.eq(self.descriptor.tag),
            entry.interrupt.eq(self.descriptor.interrupt),
            entry.code.eq(Code.OK),
            entry.address.eq(address),
            entry.slot.eq(slot),
        ]
        for reason in reversed(Reject):
            with m.If(failures[reason]):
                m.d.comb += [entry.code.eq(Code.REJECTED), entry.reason.eq(reason)]
        # What could not be read cannot be trusted: tell the driver whatever its flag was.
        with m.If(fault):
            m.d.comb += [
                entry.code.eq(Code.READ_ERROR),
                entry.reason.eq(Reject.NONE),
                entry.interrupt.eq(1),
                entry.tag.eq(0),
            ]


def _lines(config, k):
    """Lines of the A buffer that a row of K operands occupies."""
    return (k[: bits_for(K_MAX)] + config.line_bytes - 1) >> exact_log2(config.line_bytes)
