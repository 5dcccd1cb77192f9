"""The driver: descriptors through a ring in device memory, over any way to registers and memory."""

import collections
import functools

import numpy as np
from systolith_hw import REGISTERS, BLayout, Code
from systolith_hw.descriptor import RECORD_BYTES, SLOT_BYTES
from systolith_hw.registers import RING_COUNT_BITS, Control, Interrupt, Status

from .device import Device
from .errors import BusError, DeviceError, NoProgress, ProtocolError
from .identity import check_identity
from .ring import is_unread, pack_slot, ring_size, unpack_record

__all__ = ["RingDevice"]

COUNT_MASK = (1 << RING_COUNT_BITS) - 1
"""Of what ``ring_tail`` and ``ring_head`` count."""

SLACK_CYCLES = 1_000_000
"""Cycles without any completion that are granted to every wait, whatever is waited for."""

POLL_CYCLES = 10_000
"""Cycles between two looks at a device that is coming to a halt."""

_ACTIVITY = (
    "descriptor fetch",
    "A loader",
    "B loader",
    "weight feeder",
    "pass sequencer",
    "store",
    "reads outstanding",
    "writes outstanding",
)
"""Bits of the ``activity`` register, from bit 0."""


class RingDevice(Device):
    """A device of the contract: registers, and a ring of descriptors in its memory.

    Parameters
    ----------
    target : str
    config : ArrayConfig
    transport : Transport
        Closed with the device, also if opening fails.
    ring_slots : int or None
        Descriptors in the ring, as for :func:`~.ring.ring_size`. More may be submitted; they follow as slots
        become free.
    max_cycles : int or None
        Cycles that the device may take until its next interrupt before it counts as stuck. None: ample
        for what was submitted.

    Raises
    ------
    ConfigurationMismatch
        If the device reports another configuration.
    ValueError
        If ``ring_slots`` is out of range.
    """

    def __init__(self, target, config, transport, *, ring_slots=None, max_cycles=None):
        self.target = target
        super().__init__(
            config,
            memory_base=transport.memory_base,
            memory_bytes=transport.memory_bytes,
            memory=transport.memory,
        )
        self._transport = transport
        self._max_cycles = max_cycles
        self._backlog = collections.deque()
        self._running = collections.deque()
        self._ended = []
        self._stuck = None
        try:
            self._slots = ring_size(ring_slots, memory_bytes=self.memory_bytes)
            check_identity(config, self.read_register)
            self._ring = self.allocate(self._slots * SLOT_BYTES, alignment=SLOT_BYTES).address
            self._start()
        except BaseException:
            self.close()
            raise

    @property
    def transport(self):
        """The transport, for what a target offers beyond this class."""
        return self._transport

    def read_register(self, name):
        """The value of a register in :data:`systolith_hw.REGISTERS`."""
        self.check_open()
        return self._transport.read_register(REGISTERS[name].offset)

    def _write_register(self, name, value):
        self._transport.write_register(REGISTERS[name].offset, value)

    def _start(self):
        """Set the ring up, empty, and enable the device."""
        self._write_register("control", 0)
        self._write_register("ring_base", self._ring)
        self._write_register("ring_size", self._slots.bit_length() - 1)
        self._tail = self.read_register("ring_head")
        self._write_register("ring_tail", self._tail)
        self._write_register("status", Status.FAULT)
        self._write_register("irq_pending", Interrupt.COMPLETION | Interrupt.FAULT)
        self._write_register("irq_enable", Interrupt.COMPLETION | Interrupt.FAULT)
        self._write_register("control", Control.ENABLE)

    def _write(self, address, data):
        self._transport.write(address, data)

    def _read(self, address, nbytes):
        return self._transport.read(address, nbytes)

    def _submit(self, descriptors):
        if self._stuck is not None:
            raise DeviceError("the device is stuck; reset it first") from self._stuck
        self._backlog.extend(descriptors)
        if self._transport.runs_unattended:
            self._fill()

    def _fill(self):
        """Move descriptors from the backlog to free slots, and ring the doorbell."""
        count = min(len(self._backlog), self._slots - len(self._running))
        if not count:
            return
        if not self._running:
            self._transport.rest()
        last = count - 1
        # With more to follow, half a ring of them is enough to be woken for: the other half keeps the device
        # busy while slots are refilled.
        more = self._transport.runs_unattended and len(self._backlog) > count
        half = max(1, self._slots // 2) if more else count
        slots = []
        for index in range(count):
            descriptor = self._backlog.popleft()
            self._running.append(descriptor)
            slots.append(pack_slot(descriptor, interrupt=index == last or index % half == half - 1))
        first = self._tail % self._slots
        straight = min(count, self._slots - first)
        self._write_slots(first, slots[:straight])
        if straight < count:
            self._write_slots(0, slots[straight:])
        self._tail = self._tail + count & COUNT_MASK
        self._write_register("ring_tail", self._tail)

    def _write_slots(self, first, slots):
        data = np.frombuffer(b"".join(slots), np.uint8)
        self._transport.write(self._ring + first * SLOT_BYTES, data)

    def _collect(self):
        start = self._transport.seconds
        while self._running or self._backlog:
            if self._transport.runs_unattended or not self._running:
                self._fill()
            self._await_completions()
        ended, self._ended = self._ended, []
        seconds = self._transport.seconds - start
        cycles = sum(completion.counters.total for _, completion in ended)
        share = seconds / cycles if cycles else 0.0
        return [
            (descriptor, completion, share * completion.counters.total) for descriptor, completion in ended
        ]

    def _await_completions(self):
        """Wait for an interrupt that comes with a completion; take in what has completed."""
        budget = self._max_cycles or self._ample_cycles()
        for _ in range(len(self._running) + 1):
            if not self._transport.wait_interrupt(budget):
                self._raise_stuck(f"no interrupt within {budget} cycles")
            pending = self.read_register("irq_pending")
            # Cleared before the records are read: a completion that comes in between interrupts again.
            self._write_register("irq_pending", pending)
            if pending & Interrupt.FAULT:
                self._raise_fault(budget)
            if self._reap():
                return
        self._raise_stuck("interrupts without completions")

    def _ample_cycles(self):
        """Cycles within which any working device has completed what is running."""
        work = sum(_work_cycles(descriptor, self.config) for descriptor in self._running)
        return SLACK_CYCLES + self._transport.cycles_per_beat * work

    def _reap(self):
        """Take in the completions of the oldest descriptors; their number."""
        count = len(self._running)
        first = (self._tail - count) % self._slots
        straight = min(count, self._slots - first)
        data = self._read(self._ring + first * SLOT_BYTES, straight * SLOT_BYTES).tobytes()
        if straight < count:
            data += self._read(self._ring, (count - straight) * SLOT_BYTES).tobytes()
        for index in range(count):
            start = index * SLOT_BYTES + RECORD_BYTES
            if data[start] == Code.PENDING:
                return index
            try:
                completion = unpack_record(data[start : start + RECORD_BYTES])
            except ValueError as error:
                self._raise_protocol(f"a completion record has an unknown value: {error}")
            descriptor = self._running[0]
            slot = self._ring + (first + index) % self._slots * SLOT_BYTES
            if completion.tag != descriptor.tag and not is_unread(completion, slot):
                self._raise_protocol(
                    f"completion tag must be {descriptor.tag:#010x}, the device wrote {completion.tag:#010x}"
                )
            self._ended.append((self._running.popleft(), completion))
        return count

    def _raise_fault(self, budget):
        """A completion record could not be written: let the rest end, then say where."""
        address = self.read_register("fault_address")
        for _ in range(0, budget, POLL_CYCLES):
            if not self.read_register("status") & Status.BUSY:
                break
            self._transport.wait_interrupt(POLL_CYCLES)
            self._write_register("irq_pending", self.read_register("irq_pending"))
        else:
            self._raise_stuck(f"busy for {budget} cycles after a fault at {address:#010x}")
        self._write_register("status", Status.FAULT)
        self._write_register("irq_pending", Interrupt.COMPLETION | Interrupt.FAULT)
        self._discard()
        raise BusError("completion record write", address)

    def _raise_protocol(self, message):
        self._stuck = ProtocolError(message)
        raise self._stuck

    def _raise_stuck(self, what):
        try:
            activity, head = self.read_register("activity"), self.read_register("ring_head")
        except DeviceError as error:
            state = f"the registers do not answer ({error})"
        else:
            busy = [name for bit, name in enumerate(_ACTIVITY) if activity >> bit & 1]
            state = (
                f"ring_head is {head}, ring_tail {self._tail}; {activity >> 8 & 0xFF} descriptors in flight, "
                f"busy: {', '.join(busy) or 'nothing'} (activity {activity:#010x})"
            )
        details = [part for part in (what, state, self._transport.diagnose()) if part]
        self._stuck = NoProgress(f"the device makes no progress: {'; '.join(details)}")
        raise self._stuck

    def _discard(self):
        self._backlog.clear()
        self._running.clear()
        self._ended = []

    def _reset(self):
        self._discard()
        self._stuck = None
        self._transport.reset()
        self._start()

    def _close(self):
        self._transport.close()


@functools.lru_cache(maxsize=4096)
def _work_cycles(descriptor, config):
    """Cycles that a device takes which overlaps nothing, with a memory that answers at once."""
    d, bus = descriptor, config.bus_bytes
    if d.check(config):
        return 0
    blocks = -(-d.m // d.m_block)
    tiles = -(-d.k // config.rows) * -(-d.n // config.columns)
    b_rows, b_columns = (d.k, d.n) if d.b_layout is BLayout.KN else (d.n, d.k)
    passes = tiles * (d.m_block + config.rows + config.columns)
    beats_b = b_rows * (2 + b_columns // bus) + d.n
    beats_a_d = d.m * (4 + d.k // bus + 4 * d.n // bus)
    return d.batch * (blocks * (passes + beats_b) + beats_a_d)
