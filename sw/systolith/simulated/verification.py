"""Randomised comparisons within the simulation."""

from .errors import translated_errors

__all__ = ["verify_cycles", "verify_lowering"]


def verify_lowering(config, *, seeds, progress=None):
    """Compare both forms of the design in lock-step.

    Parameters
    ----------
    config : ArrayConfig
    seeds : iterable of int
        One per case.
    progress : callable or None
        Called with a line of text before anything that takes long.

    Returns
    -------
    systolith_sim.verify_lowering.LoweringResult

    Raises
    ------
    TargetUnavailable
        If a model cannot be built.
    ProtocolError
        If both models break a bus rule.
    """
    with translated_errors("emitting Verilog"):
        from systolith_sim.verify_lowering import verify_lowering as verify

        return verify(config, seeds=seeds, progress=progress)


def verify_cycles(config, *, seed, cases, progress=None):
    """Compare the cycle model with the RTL on random queues.

    Parameters
    ----------
    config : ArrayConfig
    seed, cases : int
    progress : callable or None
        Called with a line of text before anything that takes long.

    Returns
    -------
    cycles : int
        That the RTL charged.
    mismatches : list of systolith_sim.cycles.Comparison

    Raises
    ------
    TargetUnavailable
        If a model cannot be built.
    ProtocolError
        If the RTL breaks a bus rule or makes no progress.
    """
    with translated_errors("the cycle model"):
        from systolith_sim.cycles import MEMORY_BYTES, compare_random
        from systolith_sim.model import open_simulator

        with open_simulator(config, memory_bytes=MEMORY_BYTES, progress=progress) as simulator:
            return compare_random(config, simulator, seed=seed, cases=cases)
