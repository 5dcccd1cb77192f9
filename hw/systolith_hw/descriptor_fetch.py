"""Fetches descriptors ahead, checks them, and hands every unit its part."""

import functools
import operator

from amaranth.hdl import Cat, Module, Signal
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

__all__ = ["DescriptorFetch", "InFlight", "slot_address"]

OPCODE_GEMM = 1


class InFlight(data.StructLayout):
    """What the completion of a descriptor needs to know of it."""

    def __init__(self, config):
        super().__init__(
            {
                "tag": 32,
                "interrupt": 1,
                "code": Code,
                "reason": Reject,
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
        Every descriptor, also those that are not to be run; always ready. What it tells stays like
        ``descriptor``.
    in_flight_count : range(descriptor_slots + 1)
        Descriptors between fetch and completion.
    busy : 1

    Latency
    -------
    ``CHECK_CYCLES`` from the cycle after the last beat to ``in_flight``.
    """

    CHECK_CYCLES = 3

    def __init__(self, config):
        self._config = config
        super().__init__(
            {
                "enable": In(1),
                "ring_base": In(32),
                "ring_size": In(4),
                "ring_tail": In(16),
                "requests": Out(stream.Signature(RowRequest(config))),
                "beat_valid": In(1),
                "beat": In(config.axi_data_bits),
                "beat_fault": In(1),
                "slot_release": In(1),
                "dispatch": Out(1),
                "descriptor": Out(DescriptorLayout()),
                "in_flight": Out(stream.Signature(InFlight(config))),
                "in_flight_count": Out(range(config.descriptor_slots + 1)),
                "busy": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config = self._config
        next_index = Signal(16)
        slot = Signal(slot_shape(config))
        beats = RECORD_BYTES // config.bus_bytes
        request = self.requests.payload
        # A request is valid a cycle after its index is wanted: so is its address.
        m.d.sync += request.address.eq(slot_address(self.ring_base, self.ring_size, next_index))
        m.d.comb += [
            request.beats.eq(beats),
            request.target.eq(Target.DESCRIPTOR),
            request.slot.eq(slot),
        ]
        contents = Signal(8 * RECORD_BYTES)
        reserved = Signal()
        too_wide = Signal()
        beats_left = Signal(range(beats + 1), init=beats)
        fault = Signal()
        checking = Signal(range(self.CHECK_CYCLES))
        m.d.comb += self.descriptor.eq(contents)

        # A stage for each of sum, product and comparison.
        d = self.descriptor
        line_log2 = exact_log2(config.line_bytes)
        k_lines = Signal(range(K_MAX // config.line_bytes + 2))
        block_lines = Signal(len(k_lines) + bits_for(config.accumulator_rows))
        failures = Signal(len(Reject))
        m.d.sync += [
            k_lines.eq((d.k[: bits_for(K_MAX)] + config.line_bytes - 1) >> line_log2),
            block_lines.eq(k_lines * d.m_block[: bits_for(config.accumulator_rows)]),
            failures.eq(self._failures(block_lines, reserved, too_wide)),
        ]

        wanted = Signal()
        with m.FSM() as fsm:
            m.d.comb += self.busy.eq(~fsm.ongoing("IDLE"))
            m.d.comb += wanted.eq(
                self.enable
                & (next_index != self.ring_tail)
                & (self.in_flight_count != config.descriptor_slots)
            )
            with m.State("IDLE"):
                m.d.sync += self.requests.valid.eq(wanted)
                with m.If(self.requests.valid & self.requests.ready):
                    m.d.sync += [
                        self.requests.valid.eq(0),
                        beats_left.eq(beats),
                        fault.eq(0),
                        reserved.eq(0),
                        too_wide.eq(0),
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
                                part = slice(index * config.axi_data_bits, (index + 1) * config.axi_data_bits)
                                m.d.sync += [
                                    contents[part].eq(self.beat),
                                    reserved.eq(reserved | _any(self.beat, part, _reserved_mask())),
                                    too_wide.eq(too_wide | _any(self.beat, part, _width_mask(config))),
                                ]
                    with m.If(beats_left == 1):
                        m.next = "CHECK"
            with m.State("CHECK"):
                m.d.sync += checking.eq(checking + 1)
                with m.If(checking == self.CHECK_CYCLES - 1):
                    m.d.sync += checking.eq(0)
                    m.next = "DISPATCH"
            with m.State("DISPATCH"):
                m.d.comb += [
                    self.in_flight.valid.eq(1),
                    self.dispatch.eq(self.in_flight.payload.code == Code.OK),
                ]
                m.d.sync += [next_index.eq(next_index + 1), slot.eq((slot + 1) % config.descriptor_slots)]
                m.next = "IDLE"

        self._judge(m, failures, fault, slot)
        m.d.sync += self.in_flight_count.eq(self.in_flight_count + self.in_flight.valid - self.slot_release)
        return m

    def _failures(self, block_lines, reserved, too_wide):
        """One bit per reason to reject."""
        d = self.descriptor
        aligned = functools.reduce(operator.or_, (d[name] for name in ADDRESS_FIELDS))
        zero = (d.m == 0) | (d.k == 0) | (d.n == 0) | (d.batch == 0) | (d.m_block == 0)
        reasons = {
            Reject.OPCODE: (d.opcode != OPCODE_GEMM) | reserved,
            Reject.ZERO_SIZE: zero,
            Reject.OVERFLOW_POSSIBLE: d.k > K_MAX,
            Reject.CAPACITY: (d.m_block > self._config.accumulator_rows)
            | (block_lines > self._config.a_buffer_lines),
            Reject.ALIGNMENT: aligned[: exact_log2(self._config.bus_bytes)].any(),
            Reject.PARAMETERS: (d.output == Output.INT8) & ~d.parameters,
            Reject.WIDTH: too_wide,
        }
        return Cat(reasons.get(reason, 0) for reason in Reject)

    def _judge(self, m, failures, fault, slot):
        """Say what becomes of the descriptor."""
        entry = self.in_flight.payload
        m.d.comb += [
            entry.tag.eq(self.descriptor.tag),
            entry.interrupt.eq(self.descriptor.interrupt),
            entry.code.eq(Code.OK),
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


def slot_address(base, size_log2, index):
    """Address of a ring slot; the ring has ``2**size_log2`` of them."""
    mask = ((1 << size_log2) - 1)[:16]
    return base + (index & mask) * SLOT_BYTES


def _mask(name, from_bit):
    """The bits of a field from one on, in a descriptor as one number."""
    field = DESCRIPTOR_FIELDS[name]
    bits = (1 << field.width) - (1 << from_bit)
    return bits << 32 * field.word + field.lsb


def _reserved_mask():
    """The bits of a descriptor that must be zero."""
    return sum(_mask(name, 0) for name in DESCRIPTOR_FIELDS if name.startswith("reserved"))


def _width_mask(config):
    """The bits of a descriptor that the device does not keep."""
    return sum(_mask(name, kept_bits(config, name)) for name in ADDRESS_FIELDS + SIZE_FIELDS)


def _any(beat, part, mask):
    """Whether a beat, that part of a descriptor, has a bit of a mask set."""
    return (beat & (mask >> part.start & (1 << len(beat)) - 1)).any()
