"""The target ``model``: golden results, and the cycles that the cycle model predicts."""

import dataclasses
import time

from systolith_hw import Descriptor
from systolith_hw.descriptor import SLOT_BYTES
from systolith_sim.timing import DEFAULT_TIMING, MemoryTiming

from systolith.golden import GoldenDevice
from systolith.ring import ring_size

from .errors import translated_errors

__all__ = ["ModelDevice", "open_target"]


_SMALLEST = Descriptor(
    m=1, k=1, n=1, m_block=1, a_address=0, b_address=0, d_address=0, a_stride=64, b_stride=64, d_stride=64
)


class ModelDevice(GoldenDevice):
    """A :class:`GoldenDevice` whose completions have the counters that target ``rtl`` counts.

    They are equal to the cycle, whatever is submitted. A descriptor that is rejected is charged nothing; one
    that accesses an address outside the memory is charged what it takes, for the hardware runs it to its end.

    Parameters
    ----------
    config : ArrayConfig
    memory_bytes, memory
        As for :class:`GoldenDevice`.
    timing : MemoryTiming
        Without random stalls.
    ring_slots : int or None
        As for :class:`~systolith.driver.RingDevice`, whose ring takes the same place in memory.

    Raises
    ------
    TypeError, ValueError
        If an option is wrong.
    TargetUnavailable
        If something that the cycle model needs is missing.
    """

    target = "model"

    def __init__(self, config, *, memory_bytes, memory, timing, ring_slots):
        if not isinstance(timing, MemoryTiming):
            raise TypeError(f"timing must be a MemoryTiming, not {timing!r}")
        if any(timing.stall_probability.values()):
            raise ValueError(f"timing must be without random stalls for target model, not {timing}")
        super().__init__(config, memory_bytes=memory_bytes, memory=memory)
        self._timing = timing
        self._slots = ring_size(ring_slots, memory_bytes=self.memory_bytes)
        self._ring = self.allocate(self._slots * SLOT_BYTES, alignment=SLOT_BYTES).address
        self._completed = 0
        with translated_errors("target model"):
            # Loading it loads Amaranth.
            from systolith_sim.cycles import predict

            self._predict = predict
            # What is missing is told now, and not when the device is first waited for.
            predict(config, [_SMALLEST], timing=timing)

    def _collect(self):
        ended = super()._collect()
        result = []
        # As on rtl: a whole ring at a time.
        for start in range(0, len(ended), self._slots):
            result += self._with_counters(ended[start : start + self._slots])
        return result

    def _with_counters(self, ended):
        """What a queue that fits the ring ended with, counters included."""
        start = time.perf_counter()
        with translated_errors("target model"):
            counters = self._predict(
                self.config,
                [descriptor for descriptor, _, _ in ended],
                timing=self._timing,
                ring_base=self._ring,
                ring_slots=self._slots,
                first_index=self._completed,
            )
        self._completed += len(ended)
        seconds = (time.perf_counter() - start) / len(ended)
        return [
            (descriptor, dataclasses.replace(completion, counters=each), golden_seconds + seconds)
            for (descriptor, completion, golden_seconds), each in zip(ended, counters, strict=True)
        ]

    def _reset(self):
        super()._reset()
        self._completed = 0


def open_target(
    _target, config, *, memory_bytes=1 << 29, memory=None, timing=None, progress=None, ring_slots=None
):
    """A :class:`ModelDevice`.

    Parameters
    ----------
    config : ArrayConfig
    memory_bytes, memory, ring_slots
        As for :class:`ModelDevice`.
    timing : systolith_sim.MemoryTiming or None
        Latency and bandwidth of the memory; None: those of target ``rtl``.
    progress : callable or None
        Called with a line of text before anything that takes long.

    Returns
    -------
    ModelDevice
    """
    timing = DEFAULT_TIMING if timing is None else timing
    with translated_errors("target model"):
        from systolith_sim.cycles import is_compiled

    if progress and not is_compiled():
        progress("compiling the cycle model")
    return ModelDevice(config, memory_bytes=memory_bytes, memory=memory, timing=timing, ring_slots=ring_slots)
