"""How the driver reaches a running model."""

import math

import systolith_sim.errors as sim_errors

from systolith.errors import ProtocolError
from systolith.transport import Transport

__all__ = ["SimulatorTransport"]


class SimulatorTransport(Transport):
    """Registers, memory and interrupt of a running model.

    Parameters
    ----------
    simulator : systolith_sim.simulator.Simulator
        Closed with the transport.
    """

    def __init__(self, simulator):
        self.simulator = simulator
        self.memory = simulator.memory
        self.memory_bytes = simulator.memory.size

    @property
    def seconds(self):
        """Host seconds spent simulating so far."""
        return self.simulator.seconds

    @property
    def cycles_per_beat(self):
        """How long a beat of memory traffic may take: more than a round trip at the memory's timing."""
        timing = self.simulator.timing
        stalls = timing.stall_probability
        stall = max(stalls.values(), default=0) if isinstance(stalls, dict) else stalls
        rate = min(timing.read_bandwidth, timing.write_bandwidth) * (1 - stall)
        trip = timing.latency_cycles + timing.write_latency_cycles
        return super().cycles_per_beat + math.ceil(4 * trip / rate)

    def read_register(self, offset):
        """The 32 bits at a byte offset of the register block."""
        try:
            return self.simulator.read_register(offset)
        except sim_errors.SimulationError as error:
            raise ProtocolError(str(error)) from error

    def write_register(self, offset, value):
        """Write 32 bits at a byte offset of the register block."""
        try:
            self.simulator.write_register(offset, value)
        except sim_errors.SimulationError as error:
            raise ProtocolError(str(error)) from error

    def read(self, address, nbytes):
        """A copy of device memory, ``(nbytes,) uint8``."""
        return self.memory[address : address + nbytes].copy()

    def write(self, address, data):
        """Write ``(nbytes,) uint8`` to device memory."""
        self.memory[address : address + data.size] = data

    def wait_interrupt(self, max_cycles):
        """Simulate until the interrupt line is high; False if it stays low for that many cycles."""
        try:
            self.simulator.run(max_cycles=max_cycles, until="irq")
        except sim_errors.NoProgressError:
            return False
        except sim_errors.SimulationError as error:
            raise ProtocolError(str(error)) from error
        return True

    def diagnose(self):
        """What the memory has not completed."""
        return str(self.simulator.outstanding)

    def reset(self):
        """Reset the device; its memory stays as it is."""
        try:
            self.simulator.reset()
        except sim_errors.SimulationError as error:
            raise ProtocolError(str(error)) from error

    def close(self):
        """End the simulation."""
        self.simulator.close()
