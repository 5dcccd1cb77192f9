"""From configuration, descriptors and memory timing to counters and times."""

import dataclasses
import itertools

import numpy as np
from systolith_hw.descriptor import Counters

from systolith_sim.timing import DEFAULT_TIMING

from .compiled import load_model
from .setup import descriptor_records, setup_record

__all__ = ["Prediction", "predict", "predict_completions"]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Prediction:
    """What becomes of one descriptor.

    Members
    -------
    counters : Counters
        What the device reports; all zero if it rejects the descriptor.
    completed_cycle : int
        The first cycle in which its completion can be seen: ``ring_head`` counts it, and the interrupt line
        is high if it was to interrupt.
    """

    counters: Counters
    completed_cycle: int


def predict(config, descriptors, **options):
    """What the device reports of a queue of descriptors.

    The counters are those of the RTL, exactly, if every access succeeds.

    Parameters
    ----------
    config : ArrayConfig
    descriptors : sequence of Descriptor
    **options
        As for :func:`predict_completions`.

    Returns
    -------
    list of Counters
        One for each descriptor. One that the device rejects is charged nothing.

    Raises
    ------
    ValueError, CacheError
        As :func:`predict_completions`.
    """
    return [each.counters for each in predict_completions(config, descriptors, **options)]


def predict_completions(
    config,
    descriptors,
    *,
    timing=DEFAULT_TIMING,
    available=None,
    ring_base=0,
    ring_slots=1 << 15,
    first_index=0,
):
    """What the device reports of a queue of descriptors, and when.

    Cycle 0 is the first in which ``ring_tail`` of an idle device counts the first descriptor: the one after
    the cycle in which the doorbell's write is taken.

    Parameters
    ----------
    config : ArrayConfig
    descriptors : sequence of Descriptor
    timing : MemoryTiming
        Without random stalls.
    available : sequence of int or None
        The first cycle in which ``ring_tail`` counts each descriptor, never less than the one before it.
        None: all of them in cycle 0. What is predicted of a descriptor that completes before a cycle does not
        depend on what becomes available in it or later.
    ring_base : int
        Address of the descriptor ring.
    ring_slots : int
        Its slots, a power of two.
    first_index : int
        Descriptors that were submitted before.

    Returns
    -------
    list of Prediction
        One for each descriptor.

    Raises
    ------
    ValueError
        If the timing has random stalls, or ``available`` does not fit the descriptors.
    CacheError
        If the model has to be compiled, and the cache folder cannot be used.
    """
    if any(timing.stall_probability.values()):
        raise ValueError(f"timing must be without random stalls, not {timing}")
    available = [0] * len(descriptors) if available is None else list(available)
    _check_available(available, len(descriptors))
    if not descriptors:
        return []
    setup = setup_record(config, timing, ring_base=ring_base, ring_slots=ring_slots, first_index=first_index)
    records = descriptor_records(config, descriptors)
    results = load_model()(setup, records, np.array(available, np.int64))
    return [_prediction(*result) for result in results.tolist()]


def _prediction(completed_cycle, compute, wait_a, wait_b, wait_output, fill, drain):
    counters = Counters(
        compute=compute,
        wait_a=wait_a,
        wait_b=wait_b,
        wait_output=wait_output,
        fill=fill,
        drain=drain,
    )
    return Prediction(counters=counters, completed_cycle=completed_cycle)


def _check_available(available, count):
    if len(available) != count:
        raise ValueError(f"available must hold {count} cycles, one for each descriptor, not {len(available)}")
    if any(cycle < 0 for cycle in available):
        raise ValueError(f"available must not be before cycle 0, as {min(available)} is")
    for before, after in itertools.pairwise(available):
        if after < before:
            raise ValueError(f"available must not decrease, as from {before} to {after}")
