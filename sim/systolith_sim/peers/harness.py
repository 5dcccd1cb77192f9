"""Our own harness: clock, memory and host in C++ beside the design."""

from systolith_sim.build_time import build_seconds
from systolith_sim.model import build_model
from systolith_sim.simulator import Simulator
from systolith_sim.timing import MemoryTiming

from .job import Stopwatch

__all__ = ["HarnessPeer"]


class HarnessPeer:
    """One form of the design under the harness.

    Parameters
    ----------
    config : ArrayConfig
    lowering : str
        As for :func:`~systolith_sim.model.build_model`.
    latency_cycles : int
        Of the memory, for reads and writes.
    cache, progress
        As for :func:`~systolith_sim.model.build_model`.

    Raises
    ------
    BuildError
    """

    def __init__(self, config, *, lowering, latency_cycles, cache=None, progress=None):
        self.library = build_model(config, lowering=lowering, cache=cache, progress=progress)
        self.build_seconds = build_seconds(self.library.parent)
        self._timing = MemoryTiming(latency_cycles=latency_cycles, write_latency_cycles=latency_cycles)

    def run(self, job):
        """Do a job.

        Parameters
        ----------
        job : Job

        Returns
        -------
        Outcome

        Raises
        ------
        SimulationError
        """
        with Simulator(self.library, memory_bytes=len(job.image), timing=self._timing) as simulator:
            simulator.memory[:] = job.image
            with Stopwatch() as stopwatch:
                for offset, value in job.writes:
                    simulator.write_register(offset, value)
                simulator.run(max_cycles=job.max_cycles)
            return job.outcome(simulator.memory, cycles=simulator.cycles, stopwatch=stopwatch)
