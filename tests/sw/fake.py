"""A device of the contract in Python: registers, ring and completions, without any timing."""

import itertools

import numpy as np
from sw.oracle import gemm
from systolith.transport import Transport
from systolith_hw import REGISTERS, BLayout, Code, Completion, Counters, Descriptor, Output, Reject, identity
from systolith_hw.registers import Control, Interrupt, Status

NAMES = {register.offset: name for name, register in REGISTERS.items()}


class FakeTransport(Transport):
    """Runs what the ring holds when it is waited for, at most ``burst`` descriptors at a time.

    ``faults`` maps the number of a descriptor (from 0) to the completion code it ends with,
    ``"record"`` (its record cannot be written), ``"fetch"`` (it cannot be read) or ``"hang"``.
    """

    def __init__(
        self, config, *, memory_base=0, memory_bytes=1 << 20, visible=True, burst=1000, unattended=True
    ):
        self.config = config
        self.memory_base = memory_base
        self.memory_bytes = memory_bytes
        self.store = np.zeros(memory_bytes, np.uint8)
        self.memory = self.store if visible else None
        self.burst = burst
        self.runs_unattended = unattended
        self.faults = {}
        self.seconds = 0.0
        self.closed = False
        self.run_counts = []
        self.log = []
        self.reset()

    def reset(self):
        self.registers = dict.fromkeys(REGISTERS, 0) | identity(self.config)
        self.completed = itertools.count()

    def close(self):
        self.closed = True

    def read_register(self, offset):
        name = NAMES[offset]
        if name == "status":
            busy = self.registers["ring_head"] != self.registers["ring_tail"]
            return self.registers["status"] | (Status.BUSY if busy else 0)
        return self.registers[name]

    def write_register(self, offset, value):
        name = NAMES[offset]
        self.log.append((name, int(value)))
        access = REGISTERS[name].access
        assert access != "ro"
        if access == "w1c":
            self.registers[name] &= ~value
        else:
            self.registers[name] = int(value)

    def read(self, address, nbytes):
        start = address - self.memory_base
        assert 0 <= start <= start + nbytes <= self.memory_bytes
        return self.store[start : start + nbytes].copy()

    def write(self, address, data):
        start = address - self.memory_base
        assert 0 <= start <= start + data.size <= self.memory_bytes
        self.store[start : start + data.size] = data

    def rest(self):
        assert self.registers["ring_head"] == self.registers["ring_tail"]
        self.log.append("rest")

    def wait_interrupt(self, max_cycles):
        self.seconds += 1.0
        registers = self.registers
        for count in range(self.burst + 1):
            if registers["irq_pending"] & registers["irq_enable"]:
                self.run_counts.append(count)
                return True
            waiting = registers["ring_head"] != registers["ring_tail"]
            if not waiting or not registers["control"] & Control.ENABLE or not self._run_one():
                return False
        return self.wait_interrupt(max_cycles)

    def _run_one(self):
        registers = self.registers
        head = registers["ring_head"]
        slot = registers["ring_base"] + head % (1 << registers["ring_size"]) * 128
        descriptor = Descriptor.unpack(self.read(slot, 64).tobytes())
        assert not self.read(slot + 64, 64).any(), "the completion record must say pending"
        fault = self.faults.pop(next(self.completed), None)
        if fault == "hang":
            registers["activity"] = 0b1001000 | 2 << 8
            return False
        if fault == "fetch":
            self._end_unread(slot)
            return True
        reason = descriptor.check(self.config)
        code = fault if isinstance(fault, Code) else Code.REJECTED if reason else Code.OK
        if code is Code.OK:
            self._compute(descriptor)
        if fault == "record":
            registers["status"] |= Status.FAULT
            registers["irq_pending"] |= Interrupt.FAULT
            registers["fault_address"] = slot + 64
        else:
            counters = Counters(compute=5, wait_a=1, wait_b=1, wait_output=1, fill=1, drain=1)
            completion = Completion(
                code=code,
                reason=reason if code is Code.REJECTED else Reject.NONE,
                fault_address=0xDEAD00 if code in (Code.READ_ERROR, Code.WRITE_ERROR) else 0,
                tag=descriptor.tag,
                counters=counters,
            )
            self.write(slot + 64, np.frombuffer(completion.pack(), np.uint8))
        registers["ring_head"] = head + 1 & 0xFFF
        if descriptor.interrupt:
            registers["irq_pending"] |= Interrupt.COMPLETION
        return True

    def _end_unread(self, slot):
        counters = Counters(compute=0, wait_a=0, wait_b=0, wait_output=0, fill=1, drain=0)
        completion = Completion(
            code=Code.READ_ERROR, reason=Reject.NONE, fault_address=slot, tag=0, counters=counters
        )
        self.write(slot + 64, np.frombuffer(completion.pack(), np.uint8))
        self.registers["ring_head"] = self.registers["ring_head"] + 1 & 0xFFF
        self.registers["irq_pending"] |= Interrupt.COMPLETION

    def _compute(self, d):
        def matrices(address, rows, columns, stride, batch_stride, dtype=np.int8):
            itemsize = np.dtype(dtype).itemsize
            shape, strides = (d.batch, rows, columns), (batch_stride, stride, itemsize)
            return np.ndarray(shape, dtype, self.store, address - self.memory_base, strides)

        b_rows, b_columns = (d.k, d.n) if d.b_layout is BLayout.KN else (d.n, d.k)
        a = matrices(d.a_address, d.m, d.k, d.a_stride, d.a_batch_stride)
        b = matrices(d.b_address, b_rows, b_columns, d.b_stride, d.b_batch_stride)
        epilogue = {}
        if d.parameters:
            dtype = [("bias", "<i4"), ("multiplier", "<u2"), ("shift", "u1"), ("zero", "u1")]
            data = self.read(d.parameter_address, 8 * d.n).view(dtype)
            epilogue = {name: data[name] for name in ("bias", "multiplier", "shift")}
        int8 = d.output is Output.INT8
        result = gemm(
            a, b, b_layout=d.b_layout.name.lower(), relu=d.relu, out="int8" if int8 else "int32", **epilogue
        )
        matrices(d.d_address, d.m, d.n, d.d_stride, d.d_batch_stride, result.dtype)[...] = result
