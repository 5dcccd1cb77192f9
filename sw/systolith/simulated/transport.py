"""How the driver reaches a running model."""

import math
from typing import NamedTuple

from systolith_sim.errors import NoProgressError

from systolith.transport import Transport

from .errors import translated_errors

__all__ = ["SimulatorTransport"]

HANDLING_CYCLES = 16
"""Cycles that pass at least from the last beat of one queue to the first of the next on the same channel."""


class _Pace(NamedTuple):
    """Cycles between beats of the slower channel without stalls; for a beat there and back, with them."""

    beat_cycles: int
    trip_cycles: int


def _pace(timing):
    bandwidth = min(timing.read_bandwidth, timing.write_bandwidth)
    trip_cycles = timing.latency_cycles + timing.write_latency_cycles
    flow = bandwidth * (1 - max(timing.stall_probability.values()))
    return _Pace(beat_cycles=math.ceil(1 / bandwidth), trip_cycles=math.ceil(4 * trip_cycles / flow))


class SimulatorTransport(Transport):
    """Registers, memory and interrupt of a running model.

    Parameters
    ----------
    simulator : systolith_sim.simulator.Simulator
        Closed with the transport.
    """

    runs_unattended = False

    def __init__(self, simulator):
        self.simulator = simulator
        self.memory = simulator.memory
        self.memory_bytes = simulator.memory.size
        self._timing = self._pace = None

    @property
    def seconds(self):
        """Host seconds spent simulating so far."""
        return self.simulator.seconds

    @property
    def cycles_per_beat(self):
        """How long a beat of memory traffic may take: more than a round trip at the memory's timing."""
        return super().cycles_per_beat + self._current_pace().trip_cycles

    def read_register(self, offset):
        """The 32 bits at a byte offset of the register block."""
        with translated_errors("the simulation"):
            return self.simulator.read_register(offset)

    def write_register(self, offset, value):
        """Write 32 bits at a byte offset of the register block."""
        with translated_errors("the simulation"):
            self.simulator.write_register(offset, value)

    def read(self, address, nbytes):
        """A copy of device memory, ``(nbytes,) uint8``."""
        return self.memory[address : address + nbytes].copy()

    def write(self, address, data):
        """Write ``(nbytes,) uint8`` to device memory."""
        self.memory[address : address + data.size] = data

    def wait_interrupt(self, max_cycles):
        """Simulate until the interrupt line is high; False if it stays low for that many cycles."""
        with translated_errors("the simulation"):
            try:
                self.simulator.run(max_cycles=max_cycles, until="irq")
            except NoProgressError:
                return False
        return True

    def rest(self):
        """Simulate until a slow memory can take another beat: a queue's cycles depend on no other queue."""
        beat_cycles = self._current_pace().beat_cycles
        if beat_cycles > HANDLING_CYCLES:
            with translated_errors("the simulation"):
                self.simulator.run(max_cycles=beat_cycles, until=None)

    def _current_pace(self):
        """The pace of the timing that the memory has now; a simulation's can be changed."""
        if self.simulator.timing is not self._timing:
            self._timing = self.simulator.timing
            self._pace = _pace(self._timing)
        return self._pace

    def diagnose(self):
        """What the memory has not completed."""
        return str(self.simulator.outstanding)

    def reset(self):
        """Reset the device; its memory stays as it is."""
        with translated_errors("the simulation"):
            self.simulator.reset()

    def close(self):
        """End the simulation."""
        self.simulator.close()
