"""The simulated targets: the ring driver over a Verilated model and its memory."""

import math

import systolith_sim
import systolith_sim.errors as sim_errors

from .driver import RingDevice
from .errors import ProtocolError, TargetUnavailable
from .transport import Transport

__all__ = [
    "SimulatedDevice",
    "SimulatorTransport",
    "cache_folder",
    "emit_verilog",
    "memory_timing",
    "open_target",
    "verify_cycles",
    "verify_lowering",
]


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


class SimulatedDevice(RingDevice):
    """A :class:`RingDevice` in simulation.

    Members
    -------
    simulator : systolith_sim.simulator.Simulator
        For what only a simulation can do: timing, injected errors, waveforms.
    """

    def __init__(self, target, config, simulator, **options):
        self.simulator = simulator
        super().__init__(target, config, SimulatorTransport(simulator), **options)


def open_target(
    target,
    config,
    *,
    memory_bytes=1 << 29,
    timing=None,
    lowering=None,
    variant=None,
    cache=None,
    progress=None,
    ring_slots=256,
    max_cycles=None,
):
    """Build the model if need be, and open it.

    Parameters
    ----------
    target : str
    config : ArrayConfig
    memory_bytes : int
        Device memory, from address 0; what is never touched costs nothing.
    timing : systolith_sim.MemoryTiming or None
        Latency, bandwidth and stalls of the memory; None: the simulator's default.
    lowering : str or None
        ``"loops"`` or ``"stock"``; None: the simulator's default.
    variant : systolith_sim.Variant or None
        What the model can do beside running; None: nothing, the fastest.
    cache, progress
        As for :func:`systolith_sim.open_simulator`.
    ring_slots, max_cycles
        As for :class:`RingDevice`.

    Returns
    -------
    SimulatedDevice

    Raises
    ------
    TargetUnavailable
        If the model cannot be built: a tool is missing, or refuses its input.
    """
    given = {"timing": timing, "lowering": lowering, "variant": variant}
    given |= {"cache": cache, "progress": progress}
    given = {name: value for name, value in given.items() if value is not None}
    try:
        # Loading it loads Amaranth where the design has not been emitted yet.
        from systolith_sim.model import open_simulator

        simulator = open_simulator(config, memory_bytes=memory_bytes, **given)
    except ModuleNotFoundError as error:
        raise TargetUnavailable(f"target {target} needs the Python module {error.name}") from error
    except sim_errors.BuildError as error:
        raise TargetUnavailable(f"target {target}: {error}") from error
    return SimulatedDevice(target, config, simulator, ring_slots=ring_slots, max_cycles=max_cycles)


def cache_folder():
    """Where built models are kept, a path that need not exist."""
    return systolith_sim.default_cache_folder()


def memory_timing(*, latency_cycles, stall_probability, seed):
    """The ``timing`` of :func:`open_target` for a memory of equal read and write latency.

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


def emit_verilog(config, *, lowering="stock", progress=None):
    """The accelerator as Verilog, from the cache if it has been emitted before.

    Parameters
    ----------
    config : ArrayConfig
    lowering : str
        ``"stock"``: Verilog for any tool; ``"loops"``: SystemVerilog that Verilator turns into SIMD loops.
    progress : callable or None
        Called with a line of text before anything that takes long.

    Returns
    -------
    str

    Raises
    ------
    TargetUnavailable
        If a module is missing or the cache folder cannot be used.
    """
    try:
        return systolith_sim.cached_verilog(config, lowering=lowering, progress=progress)
    except ModuleNotFoundError as error:
        raise TargetUnavailable(f"emitting Verilog needs the Python module {error.name}") from error
    except sim_errors.BuildError as error:
        raise TargetUnavailable(str(error)) from error


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
    try:
        from systolith_sim.verify_lowering import verify_lowering as verify

        return verify(config, seeds=seeds, progress=progress)
    except ModuleNotFoundError as error:
        raise TargetUnavailable(f"emitting Verilog needs the Python module {error.name}") from error
    except sim_errors.BuildError as error:
        raise TargetUnavailable(str(error)) from error
    except sim_errors.SimulationError as error:
        raise ProtocolError(str(error)) from error


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
    try:
        from systolith_sim.cycles import MEMORY_BYTES, compare_random
        from systolith_sim.model import open_simulator

        with open_simulator(config, memory_bytes=MEMORY_BYTES, progress=progress) as simulator:
            return compare_random(config, simulator, seed=seed, cases=cases)
    except ModuleNotFoundError as error:
        raise TargetUnavailable(f"the cycle model needs the Python module {error.name}") from error
    except sim_errors.BuildError as error:
        raise TargetUnavailable(str(error)) from error
    except sim_errors.SimulationError as error:
        raise ProtocolError(str(error)) from error
