"""The cycle model beside the RTL and beside SCALE-Sim, with the time that each takes."""

import dataclasses
import time

import numpy as np

from .errors import translated_errors

__all__ = ["TimedCycles", "scale_sim_cycles", "time_cycles"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class TimedCycles:
    """One queue on the RTL and in the cycle model.

    Members
    -------
    rtl, model : list of Counters
        Of every descriptor.
    mismatches : int
        Descriptors of which any counter, or the cycle of completion, differs.
    rtl_seconds, model_seconds : float
        Processor time, the least of all runs.
    """

    rtl: list
    model: list
    mismatches: int
    rtl_seconds: float
    model_seconds: float


def time_cycles(config, descriptors, *, memory_bytes, latency_cycles, repeats, progress=None):
    """Run a queue on target ``rtl``, on random bytes, and predict it, in turn.

    Parameters
    ----------
    config : ArrayConfig
    descriptors : sequence of Descriptor
        At most 64, without operands below ``0x2000``, where the ring is.
    memory_bytes : int
    latency_cycles : int
        Of the memory.
    repeats : int
    progress : callable or None
        Called with a line of text before anything that takes long.

    Returns
    -------
    TimedCycles

    Raises
    ------
    TargetUnavailable
        If a model cannot be built.
    ProtocolError
        If the RTL breaks a bus rule or makes no progress.
    """
    with translated_errors("the cycle model"):
        from systolith_sim.cycles import Case, compare, predict_completions, run_rtl
        from systolith_sim.model import open_simulator
        from systolith_sim.timing import MemoryTiming

        timing = MemoryTiming(latency_cycles=latency_cycles, write_latency_cycles=latency_cycles)
        case = Case(descriptors=tuple(descriptors), timing=timing)
        with open_simulator(config, memory_bytes=memory_bytes, progress=progress) as simulator:
            simulator.memory[:] = np.random.default_rng(0).integers(0, 256, memory_bytes, np.uint8)
            # Also compiles the cycle model, so that it is not timed.
            first = compare(config, simulator, case)
            rtl_seconds, model_seconds = [], []
            for _ in range(repeats):
                rtl_seconds.append(_seconds(lambda: run_rtl(simulator, case)))
                model_seconds.append(
                    _seconds(lambda: predict_completions(config, case.descriptors, timing=timing))
                )
    return TimedCycles(
        rtl=[each.counters for each in first.rtl],
        model=[each.counters for each in first.model],
        mismatches=_mismatches(first),
        rtl_seconds=min(rtl_seconds),
        model_seconds=min(model_seconds),
    )


def scale_sim_cycles(python, config, shapes):
    """What SCALE-Sim says of products.

    Parameters
    ----------
    python : str
        An interpreter with SCALE-Sim.
    config : ArrayConfig
    shapes : sequence of (int, int, int)
        M, K and N of each.

    Returns
    -------
    version : str
    answers : list of systolith_sim.peers.scale_sim.ScaleSimAnswer

    Raises
    ------
    TargetUnavailable
        If the interpreter has no SCALE-Sim, or it fails.
    """
    with translated_errors("SCALE-Sim"):
        from systolith_sim.peers.scale_sim import run_scale_sim

        return run_scale_sim(python, config, shapes)


def _seconds(call):
    start = time.process_time()
    call()
    return time.process_time() - start


def _mismatches(comparison):
    wrong = 0
    for model, rtl in zip(comparison.model, comparison.rtl, strict=True):
        wrong += model.counters != rtl.counters or rtl.completed_cycle not in {None, model.completed_cycle}
    return wrong
