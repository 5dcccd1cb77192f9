"""The memory timing of the simulated targets."""

import systolith_sim

__all__ = ["memory_timing"]


def memory_timing(*, latency_cycles, stall_probability, seed):
    """The ``timing`` of :func:`systolith.open_device` for a memory of equal read and write latency.

    Parameters
    ----------
    latency_cycles : int or None
        At least 1; None: the simulator's default.
    stall_probability : float
        Of every channel in every cycle, from 0 up to, not including, 1.
    seed : int
        Of the stalls.

    Returns
    -------
    systolith_sim.MemoryTiming

    Raises
    ------
    TypeError, ValueError
        If a parameter is of the wrong type or out of range.
    """
    latencies = {}
    if latency_cycles is not None:
        latencies = {"latency_cycles": latency_cycles, "write_latency_cycles": latency_cycles}
    return systolith_sim.MemoryTiming(**latencies, stall_probability=stall_probability, seed=seed)
