"""What every simulation is given to do, and what it reports."""

import dataclasses
import time

import numpy as np
from systolith_hw import REGISTERS, BLayout, Code, Completion, Descriptor, Output
from systolith_hw.descriptor import RECORD_BYTES, SLOT_BYTES
from systolith_hw.registers import Control, Interrupt

__all__ = ["Job", "Outcome", "Stopwatch"]

_PAGE_BYTES = 4096
_UNWRITTEN = 0x55


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a simulation did a job.

    Members
    -------
    cycles : int
        From the first register access to the interrupt.
    cpu_seconds, wall_seconds : float
        Likewise, of the process that simulates.
    mismatches : int
        Elements of the products that differ from NumPy's, and descriptors that did not end well.
    charged : tuple of Counters
        What the device reports of each descriptor.
    """

    cycles: int
    cpu_seconds: float
    wall_seconds: float
    mismatches: int
    charged: tuple

    @property
    def cycles_per_second(self):
        """Of processor time."""
        return self.cycles / self.cpu_seconds


class Stopwatch:
    """Seconds that a ``with`` block takes: of this process's processors, and of the clock on the wall."""

    cpu_seconds = 0.0
    wall_seconds = 0.0

    def __enter__(self):
        self._start = time.process_time(), time.perf_counter()
        return self

    def __exit__(self, *exception):
        cpu, wall = self._start
        self.cpu_seconds = time.process_time() - cpu
        self.wall_seconds = time.perf_counter() - wall


class Job:
    """A queue of equal products (M×K)·(K×N) with int32 results: memory, and what to write to registers.

    Parameters
    ----------
    config : ArrayConfig
    m, k, n : int
    count : int
        Products in the queue. Each has an A and a D of its own; B is the same for all, N×K.
    seed : int
        Of the operands.

    Members
    -------
    image : (memory_bytes,) uint8
        Memory before the job; it begins at address 0.
    writes : list of (int, int)
        Offset of a register and what to write to it; the last is the doorbell.
    max_cycles : int
        More than any memory needs for it.
    """

    def __init__(self, config, *, m, k, n, count=1, seed=0):
        self.config = config
        self.m, self.k, self.n, self.count = m, k, n, count
        generator = np.random.default_rng(seed)
        a_stride, b_stride, d_stride = (_round_up(size, config.bus_bytes) for size in (k, k, 4 * n))
        ring_slots = 1 << (count - 1).bit_length()
        sizes = [ring_slots * SLOT_BYTES, n * b_stride, count * m * a_stride, count * m * d_stride]
        starts = np.cumsum([0, *(_round_up(size, _PAGE_BYTES) for size in sizes)]).tolist()
        ring, b, a, d, end = starts
        self.image = np.full(end, _UNWRITTEN, np.uint8)
        self._results = np.ndarray((count, m, n), "<i4", self.image, d, (m * d_stride, d_stride, 4))
        operands = (
            np.ndarray((count, m, k), np.int8, self.image, a, (m * a_stride, a_stride, 1)),
            np.ndarray((n, k), np.int8, self.image, b, (b_stride, 1)),
        )
        for operand in operands:
            operand[...] = generator.integers(-128, 128, operand.shape, np.int8)
        # Exact in float64, and much faster there.
        self._wanted = (operands[0].astype(float) @ operands[1].T.astype(float)).astype(np.int32)
        slots = self.image[ring:][: count * SLOT_BYTES].reshape(count, SLOT_BYTES)
        slots[:] = 0
        for index in range(count):
            descriptor = Descriptor(
                m=m,
                k=k,
                n=n,
                m_block=min(m, config.max_m_block(k)),
                b_layout=BLayout.NK,
                output=Output.INT32,
                interrupt=index == count - 1,
                a_address=a + index * m * a_stride,
                b_address=b,
                d_address=d + index * m * d_stride,
                a_stride=a_stride,
                b_stride=b_stride,
                d_stride=d_stride,
            )
            slots[index, :RECORD_BYTES] = np.frombuffer(descriptor.pack(), np.uint8)
        values = {
            "ring_base": ring,
            "ring_size": ring_slots.bit_length() - 1,
            "irq_enable": Interrupt.COMPLETION | Interrupt.FAULT,
            "control": Control.ENABLE,
            "ring_tail": count,
        }
        passes = -(-k // config.rows) * -(-n // config.columns)
        self.max_cycles = 100_000 + 100 * count * passes * max(m, config.rows, config.columns)
        self._ring = ring
        self._d = d, self._results.strides
        self.writes = [(REGISTERS[name].offset, int(value)) for name, value in values.items()]

    def outcome(self, memory, *, cycles, stopwatch):
        """Judge the memory that a simulation has left.

        Parameters
        ----------
        memory : (memory_bytes,) uint8
        cycles : int
        stopwatch : Stopwatch

        Returns
        -------
        Outcome
        """
        address, strides = self._d
        results = np.ndarray(self._wanted.shape, "<i4", memory, address, strides)
        slots = memory[self._ring :][: self.count * SLOT_BYTES].reshape(self.count, SLOT_BYTES)
        records = [Completion.unpack(slot[RECORD_BYTES:].tobytes()) for slot in slots]
        failed = sum(record.code != Code.OK for record in records)
        return Outcome(
            cycles=cycles,
            cpu_seconds=stopwatch.cpu_seconds,
            wall_seconds=stopwatch.wall_seconds,
            mismatches=int((results != self._wanted).sum()) + failed,
            charged=tuple(record.counters for record in records),
        )


def _round_up(size, multiple):
    return -(-size // multiple) * multiple
