"""Two models of one design, driven alike and compared in every cycle."""

import dataclasses

from .errors import SimulationError
from .ports import recorded_ports
from .simulator import Simulator
from .timing import DEFAULT_TIMING

__all__ = ["Difference", "DifferenceError", "LockStep"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Difference:
    """Where two models differ first.

    Parameters
    ----------
    cycle : int
        Since reset.
    signal : str
        The first output, in port order, that differs in that cycle.
    values : tuple of int
        What each model shows.
    """

    cycle: int
    signal: str
    values: tuple


class DifferenceError(Exception):
    """Two models that should be equal are not.

    Members
    -------
    difference : Difference
    """

    def __init__(self, difference):
        self.difference = difference
        first, second = difference.values
        super().__init__(f"cycle {difference.cycle}: {difference.signal} is {first:#x} and {second:#x}")


class LockStep:
    """Two simulators that get the same calls. Every call compares every output of every cycle that it ran.

    Parameters
    ----------
    libraries : (path, path)
        Of ``Variant.RECORD``, from :func:`~.model.build_model`.
    memory_bytes : int
    timing : MemoryTiming

    Members
    -------
    cycles : int
        Equal so far, over all resets.

    Raises
    ------
    ValueError
        If a library does not record.
    """

    def __init__(self, libraries, *, memory_bytes, timing=DEFAULT_TIMING):
        self.cycles = 0
        self._before = 0
        self._models = [Simulator(library, memory_bytes=memory_bytes, timing=timing) for library in libraries]
        self._step = min(model.recorded_cycles for model in self._models)
        outputs = recorded_ports(8 * self._models[0].data_bytes).items()
        self._outputs = [name for name, (direction, _) in outputs if direction == "output"]
        self._compare()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def close(self):
        """End both simulations."""
        for model in self._models:
            model.close()

    @property
    def memory(self):
        """The first model's memory, as it is now; both are written by :meth:`write_memory`."""
        return self._models[0].memory

    def write_memory(self, address, data):
        """Write ``(nbytes,) uint8`` to both memories."""
        for model in self._models:
            model.memory[address : address + data.size] = data

    def read_register(self, offset):
        """The value of a register; both must take as long and give the same."""
        return self._both(lambda model: model.read_register(offset))

    def write_register(self, offset, value):
        """Write a register."""
        self._both(lambda model: model.write_register(offset, value))

    def inject_error(self, address, length, *, response, access):
        """As :meth:`.Simulator.inject_error`."""
        for model in self._models:
            model.inject_error(address, length, response=response, access=access)

    def set_timing(self, timing):
        """As :meth:`.Simulator.set_timing`."""
        for model in self._models:
            model.set_timing(timing)

    def reset(self):
        """Reset both."""
        for model in self._models:
            model.reset()
        self._before = 0

    def run(self, cycles):
        """Run both for that many cycles."""
        while cycles:
            step = min(cycles, self._step)
            self._both(lambda model, step=step: model.run(max_cycles=step, until=None))
            cycles -= step

    def _both(self, call):
        """Call both, and compare the cycles that it took before what came of it."""
        outcomes = []
        for model in self._models:
            try:
                outcomes.append((None, call(model)))
            except SimulationError as error:
                outcomes.append((error, None))
        self._compare()
        for failure, _ in outcomes:
            if failure is not None:
                raise failure
        return outcomes[0][1]

    def _compare(self):
        first, second = self._models
        ran = min(first.cycles, second.cycles)
        if first.digest != second.digest:
            for cycle in range(self._before, ran):
                self._compare_cycle(cycle)
        assert first.cycles == second.cycles, "a call depends on the outputs alone"
        self.cycles += ran - self._before
        self._before = ran

    def _compare_cycle(self, cycle):
        one, other = (model.ports(cycle) for model in self._models)
        for name in self._outputs:
            if one[name] != other[name]:
                self.cycles += cycle - self._before
                values = one[name], other[name]
                raise DifferenceError(Difference(cycle=cycle, signal=name, values=values))
