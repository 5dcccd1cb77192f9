"""The target ``rtl``: the ring driver over a Verilated model and its memory."""

from systolith.driver import RingDevice

from .errors import translated_errors
from .transport import SimulatorTransport

__all__ = ["SimulatedDevice", "open_target"]


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
    memory=None,
    timing=None,
    lowering=None,
    variant=None,
    cache=None,
    progress=None,
    ring_slots=None,
    max_cycles=None,
):
    """Build the model if need be, and open it.

    Parameters
    ----------
    target : str
    config : ArrayConfig
    memory_bytes : int
        Device memory, from address 0; what is never touched costs nothing.
    memory : ``(memory_bytes,) uint8`` array or None
        The memory itself, for example shared with other processes; None: a new one.
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
    given |= {"cache": cache, "progress": progress, "memory": memory}
    given = {name: value for name, value in given.items() if value is not None}
    with translated_errors(f"target {target}"):
        # Loading it loads Amaranth where the design has not been emitted yet.
        from systolith_sim.model import open_simulator

        simulator = open_simulator(config, memory_bytes=memory_bytes, **given)
    return SimulatedDevice(target, config, simulator, ring_slots=ring_slots, max_cycles=max_cycles)
