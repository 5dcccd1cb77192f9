"""The target ``netlist``: the ring driver over the synthesized accelerator."""

from systolith.errors import UnknownTarget

from .errors import translated_errors
from .rtl import SimulatedDevice

__all__ = ["open_target"]


def open_target(
    target,
    config,
    part,
    *,
    memory_bytes=1 << 29,
    memory=None,
    timing=None,
    variant=None,
    cache=None,
    progress=None,
    ring_slots=None,
    max_cycles=None,
):
    """Synthesize and build if need be, and open it.

    Parameters
    ----------
    target : str
    config : ArrayConfig or None
        None: the board's.
    part : str
        A board, or a family of parts.
    memory_bytes, memory, timing, variant, cache, progress, ring_slots, max_cycles
        As for target ``rtl``.

    Returns
    -------
    SimulatedDevice

    Raises
    ------
    UnknownTarget
        If there is no such board, or its netlist cannot be simulated.
    TargetUnavailable
        If a tool is missing, or refuses its input.
    """
    given = {"timing": timing, "variant": variant, "cache": cache, "progress": progress, "memory": memory}
    given = {name: value for name, value in given.items() if value is not None}
    with translated_errors(f"target {target}"):
        from systolith_sim.netlist import find_subject, open_netlist

        try:
            subject = find_subject(part)
        except ValueError as error:
            raise UnknownTarget(str(error)) from None
        config = config or subject.config
        simulator = open_netlist(subject, config, memory_bytes=memory_bytes, **given)
    return SimulatedDevice(target, config, simulator, ring_slots=ring_slots, max_cycles=max_cycles)
