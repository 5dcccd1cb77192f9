"""PyVerilator: the same shared library, driven signal by signal from Python."""

import pyverilator

from systolith_sim.build_time import build_seconds
from systolith_sim.errors import SimulationError
from systolith_sim.model import build_model

from .bus import Host, Memory
from .job import Stopwatch

__all__ = ["PyverilatorPeer"]

_RESET_CYCLES = 4


class PyverilatorPeer:
    """The stock form under ``pyverilator.PyVerilator``.

    Signals are read and written through its ``Signal`` objects, and only those that are needed in a cycle;
    the model is evaluated twice a cycle, not at every write (``auto_eval=False``): its fastest way.

    Parameters
    ----------
    config : ArrayConfig
    latency_cycles : int
        Of the memory, for reads and writes.
    cache, progress
        As for :func:`~systolith_sim.model.build_model`.

    Raises
    ------
    BuildError
    """

    def __init__(self, config, *, latency_cycles, cache=None, progress=None):
        self.library = build_model(config, lowering="stock", cache=cache, progress=progress)
        self.build_seconds = build_seconds(self.library.parent)
        self._latency_cycles = latency_cycles

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
        sim = pyverilator.PyVerilator(str(self.library), auto_eval=False)
        signals = {name: signal for (name,), signal in sim.all_signals.items()}
        contents = job.image.copy()
        memory = Memory(contents, bus_bytes=job.config.bus_bytes, latency_cycles=self._latency_cycles)
        host = Host(job.writes)
        clk, irq = signals["clk"], signals["irq"]

        def write(name, value):
            signals[name].write(value)

        def read(name):
            return signals[name].value

        def evaluate(level):
            clk.write(level)
            sim.eval()

        memory.reset(write)
        host.reset(write)
        write("rst", 1)
        for _ in range(_RESET_CYCLES):
            evaluate(0)
            evaluate(1)
        write("rst", 0)
        cycles = 0
        with Stopwatch() as stopwatch:
            while not irq.value:
                if cycles == job.max_cycles:
                    raise SimulationError(f"irq is low after {cycles} cycles")
                memory.drive(cycles, write)
                host.drive(write)
                evaluate(0)
                memory.sample(cycles, read)
                host.sample(read)
                evaluate(1)
                cycles += 1
        return job.outcome(contents, cycles=cycles, stopwatch=stopwatch)
