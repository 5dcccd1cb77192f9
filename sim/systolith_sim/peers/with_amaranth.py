"""Amaranth's own simulator: the design as it is described, nothing built."""

from amaranth.sim import Simulator
from systolith_hw.accelerator import Accelerator

from systolith_sim.errors import SimulationError

from .bus import OUTPUTS, Host, Memory
from .job import Stopwatch

__all__ = ["AmaranthPeer"]

_PERIOD_SECONDS = 1e-8


class AmaranthPeer:
    """The description under ``amaranth.sim``, its memory and host in one process that wakes once a cycle.

    Parameters
    ----------
    config : ArrayConfig
    latency_cycles : int
        Of the memory, for reads and writes.

    Members
    -------
    build_seconds : float
        Processor time that elaborating the design and compiling it to Python took.
    """

    def __init__(self, config, *, latency_cycles):
        with Stopwatch() as stopwatch:
            self._dut = Accelerator(config)
            self._simulator = Simulator(self._dut)
            self._simulator.add_clock(_PERIOD_SECONDS)
        self.build_seconds = stopwatch.cpu_seconds
        self._latency_cycles = latency_cycles
        self._job = None
        self._has_run = False
        self._simulator.add_process(self._play)

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
            If there is no interrupt.
        """
        self._job = job
        self._contents = job.image.copy()
        self._cycles = None
        if self._has_run:
            self._simulator.reset()
        self._has_run = True
        with Stopwatch() as stopwatch:
            while self._cycles is None:
                self._simulator.advance()
        return job.outcome(self._contents, cycles=self._cycles, stopwatch=stopwatch)

    async def _play(self, ctx):
        """Memory and host; what was sampled belongs to the cycle that has just ended."""
        job = self._job
        memory = Memory(self._contents, bus_bytes=job.config.bus_bytes, latency_cycles=self._latency_cycles)
        host = Host(job.writes)

        def write(name, value):
            ctx.set(getattr(self._dut, name), value)

        memory.reset(write)
        host.reset(write)
        memory.drive(0, write)
        host.drive(write)
        cycle = 0
        async for _, _, *values in ctx.tick().sample(*(getattr(self._dut, name) for name in OUTPUTS)):
            outputs = dict(zip(OUTPUTS, values, strict=True))
            if outputs["irq"]:
                self._cycles = cycle
                return
            if cycle == job.max_cycles:
                raise SimulationError(f"irq is low after {cycle} cycles")
            memory.sample(cycle, outputs.__getitem__)
            host.sample(outputs.__getitem__)
            cycle += 1
            memory.drive(cycle, write)
            host.drive(write)
