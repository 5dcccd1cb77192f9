"""Random work for a device: queues of GEMMs, register traffic, memory timing, stalls, errors, resets."""

import dataclasses
import random
from fractions import Fraction

import numpy as np
from systolith_hw.descriptor import RECORD_BYTES, SLOT_BYTES, BLayout, Code, Descriptor, Output
from systolith_hw.registers import REGISTERS, RING_COUNT_BITS, Control, Interrupt

from .timing import CHANNELS, MemoryTiming

__all__ = ["MEMORY_BYTES", "Traffic", "random_timing"]

MEMORY_BYTES = 1 << 22
RING = 0
RING_LOG2 = 4
MAX_CYCLES = 200_000
"""Most that a case may run: a queue of the largest GEMMs on the smallest array takes less."""


def random_timing(rng):
    """Any memory: from the fastest to one that is slow and stalls.

    Parameters
    ----------
    rng : random.Random
    """

    def bandwidth():
        return rng.choice([Fraction(1), Fraction(1), Fraction(1, 2), Fraction(2, 3), Fraction(1, 7)])

    stalls = rng.choice([0.0, 0.0, 0.1, 0.5, {rng.choice(CHANNELS): rng.choice([0.3, 0.9])}])
    return MemoryTiming(
        latency_cycles=rng.choice([1, 2, 7, 40, 113]),
        write_latency_cycles=rng.choice([1, 3, 40]),
        read_bandwidth=bandwidth(),
        write_bandwidth=bandwidth(),
        stall_probability=stalls,
        seed=rng.randrange(1 << 32),
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Traffic:
    """One case: what is done depends on ``seed`` and ``config``, and on what the device answers.

    Parameters
    ----------
    config : ArrayConfig
    seed : int
    resets : bool
        Whether the device is at times reset in the midst of a queue. Models whose reset is synchronous and
        asynchronous differ then: the first still takes what is written to its memories in the first cycle
        of the reset, which shows in payloads that are not valid.
    """

    config: object
    seed: int
    resets: bool = False

    def run(self, device):
        """Do it.

        Parameters
        ----------
        device : LockStep
            Or whatever has its methods.

        Returns
        -------
        int
            Descriptors that were completed with ``Code.OK``.
        """
        rng = random.Random(f"{self.config}/{self.seed}")  # noqa: S311 -- reproducible, not secret
        device.set_timing(random_timing(rng))
        generator = np.random.default_rng(rng.randrange(1 << 32))
        nbytes = self._results - self._operands
        device.write_memory(self._operands, generator.integers(0, 256, nbytes, np.uint8))
        completed = 0
        for _ in range(rng.choice([1, 1, 2])):
            completed += self._queue(device, rng)
            if rng.random() < 0.5:
                device.reset()
        return completed

    @property
    def _reach_bytes(self):
        """Device memory that the configuration's addresses reach."""
        return min(MEMORY_BYTES, 1 << self.config.address_bits)

    @property
    def _operands(self):
        """Where A, B and the parameters begin at the earliest: behind the ring."""
        return max(self._reach_bytes >> 6, SLOT_BYTES << RING_LOG2)

    @property
    def _results(self):
        """Where D begins at the earliest."""
        return self._reach_bytes >> 1

    def _queue(self, device, rng):
        descriptors = [self._descriptor(rng) for _ in range(rng.randrange(1, 7))]
        if rng.random() < 0.1:
            address = rng.randrange(self._operands, self._results + (self._reach_bytes >> 6), 64)
            device.inject_error(address, 64, response=rng.choice(["slverr", "decerr"]), access="both")
        head = _read(device, "ring_head")
        size = 1 << RING_LOG2
        slots = [RING + (head + index) % size * SLOT_BYTES for index in range(len(descriptors))]
        for slot, data in zip(slots, descriptors, strict=True):
            device.write_memory(slot, np.frombuffer(data + bytes(RECORD_BYTES), np.uint8))
        _write(device, "ring_base", RING)
        _write(device, "ring_size", RING_LOG2)
        _write(device, "irq_enable", rng.choice([0, Interrupt.COMPLETION | Interrupt.FAULT]))
        _write(device, "control", Control.ENABLE)
        tail = (head + len(descriptors)) % (1 << RING_COUNT_BITS)
        _write(device, "ring_tail", tail)
        self._wait(device, rng, tail)
        return sum(int(device.memory[slot + RECORD_BYTES]) == Code.OK for slot in slots)

    def _wait(self, device, rng, tail):
        """Run until the queue has ended, with registers accessed all along."""
        chance = rng.choice([0.0, 0.0, 0.0, 0.05]) if self.resets else 0.0
        waited = 0
        while _read(device, "ring_head") != tail and waited < MAX_CYCLES:
            step = rng.choice([1, 3, 20, 100, 500, 2000])
            device.run(step)
            waited += step
            if rng.random() < chance:
                device.reset()
                return
            match rng.randrange(4):
                case 0:
                    _read(device, rng.choice(list(REGISTERS)))
                case 1:
                    _write(device, "irq_enable", rng.randrange(1 << 32))
                case 2:
                    _write(device, "irq_pending", Interrupt.COMPLETION | Interrupt.FAULT)
        # What is still under way after the last completion.
        device.run(rng.randrange(1, 50))

    def _descriptor(self, rng):
        config = self.config
        bus = config.bus_bytes

        def size(limit):
            edge = rng.choice([1, config.rows, config.columns, config.rows + 1, 2 * config.columns])
            return edge if rng.random() < 0.3 else rng.randrange(1, limit)

        def address(low, high):
            return rng.randrange(low, max(high, low + 1), bus)

        def stride(nbytes):
            return -(-nbytes // bus) * bus + rng.choice([0, 0, bus])

        m, k, n = size(40), size(6 * config.rows), size(4 * config.columns)
        batch = rng.choice([1, 1, 1, 2, 3])
        output, b_layout = rng.choice(list(Output)), rng.choice(list(BLayout))
        kn = b_layout is BLayout.KN
        a_stride, b_stride = stride(k), stride(n if kn else k)
        d_stride = stride(n if output is Output.INT8 else 4 * n)
        descriptor = Descriptor(
            m=m,
            k=k,
            n=n,
            batch=batch,
            m_block=rng.randrange(1, min(m, config.max_m_block(k)) + 1),
            b_layout=b_layout,
            output=output,
            parameters=output is Output.INT8 or rng.random() < 0.5,
            relu=rng.random() < 0.3,
            interrupt=rng.random() < 0.5,
            a_address=address(self._operands, self._results // 2),
            b_address=address(self._operands, self._results // 2),
            d_address=address(self._results, self._results + (self._reach_bytes >> 6)),
            parameter_address=address(self._operands, self._results // 2),
            a_stride=a_stride,
            b_stride=b_stride,
            d_stride=d_stride,
            a_batch_stride=m * a_stride * rng.randrange(2),
            b_batch_stride=(k if kn else n) * b_stride * rng.randrange(2),
            d_batch_stride=m * d_stride,
            tag=rng.randrange(1 << 32),
        )
        data = bytearray(descriptor.pack())
        if rng.random() < 0.05:
            # One bit: most such descriptors are rejected, or fail.
            data[rng.randrange(4)] ^= 1 << rng.randrange(8)
        return bytes(data)


def _read(device, name):
    return device.read_register(REGISTERS[name].offset)


def _write(device, name, value):
    device.write_register(REGISTERS[name].offset, value)
