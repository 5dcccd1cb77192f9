"""A device from its target's name, and what tells the two apart."""

import importlib
import inspect

from systolith_hw import ArrayConfig

from .device import Device
from .errors import UnknownTarget
from .targets import find_target

__all__ = ["check_device", "open_device"]


def check_device(device):
    """Check that something is a :class:`Device`, and not for example a target's name.

    Raises
    ------
    TypeError
    """
    if not isinstance(device, Device):
        target = device if _is_target(device) else "rtl"
        raise TypeError(
            f"device must be a Device, not {device!r}: pass what systolith.open_device({target!r}) returns"
        )


def _is_target(value):
    try:
        find_target(value)
    except UnknownTarget:
        return False
    return True


def open_device(target="golden", config=None, **options):
    """Open a target by name.

    Parameters
    ----------
    target : str
        A name in :data:`TARGETS`, with a colon and its argument if it takes one.
    config : ArrayConfig or None
        The accelerator; unless given, the target's own if it has one, else the default configuration.
    **options
        For every target but ``"serial:PORT[,BAUD]"``:

        - ``memory_bytes`` (int): device memory, a multiple of 4096 up to 4 GiB; what is never touched costs
          nothing. 512 MiB unless given.
        - ``memory`` (``(memory_bytes,) uint8`` array): the device memory itself, for example shared with
          another process. A new one unless given.

        For ``"golden"``:

        - ``memory_base`` (int): the memory's first address. 0 unless given.

        For ``"model"``, ``"rtl"`` and ``"netlist:BOARD"``:

        - ``timing`` (:class:`systolith_sim.MemoryTiming`): latency, bandwidth and random stalls of the
          memory, for example ``timing=systolith_sim.MemoryTiming(latency_cycles=100,
          write_latency_cycles=100, stall_probability=0.1, seed=1)``. Latency 40, one beat per cycle and no
          stalls unless given. ``"model"`` takes none with stalls.
        - ``ring_slots`` (int): descriptors in the ring, a power of two up to 2048. 256 unless given,
          fewer where they would take more than a sixteenth of the device memory.
        - ``progress`` (callable): called with a line of text before anything that takes long.

        For ``"rtl"``:

        - ``lowering`` (str): ``"loops"``, which simulates fastest, or ``"stock"``, with a signal for every
          register. ``"loops"`` unless given.

        For ``"rtl"`` and ``"netlist:BOARD"``:

        - ``variant`` (:class:`systolith_sim.Variant`): what the model can do beside running, such as
          waveforms. Nothing unless given.
        - ``cache`` (path): where built models are kept. ``$SYSTOLITH_CACHE`` or the user's cache folder
          unless given.
        - ``max_cycles`` (int): cycles without an interrupt after which the device counts as stuck. Ample for
          what was submitted unless given.

        For ``"serial:PORT[,BAUD]"``, 1000000 baud unless given:

        - ``manifest`` (path): of the bitstream that the board must run, the file or its folder. Any bitstream
          unless given.
        - ``ring_slots`` (int): as above.
        - ``max_cycles`` (int): as above.

    Returns
    -------
    Device

    Raises
    ------
    UnknownTarget
        If there is no such target.
    TargetUnavailable
        If something that the target needs is missing.
    TypeError
        If ``config`` is not an :class:`ArrayConfig`, ``memory`` no such array, or the target does not take an
        option.
    ConfigurationMismatch
        If what is at the port is of another configuration, or runs another bitstream.
    OSError
        If the manifest cannot be read.
    ValueError
        If an option is out of range, or the manifest is none.
    """
    if config is not None and not isinstance(config, ArrayConfig):
        raise TypeError(f"config must be an ArrayConfig, not {config!r}")
    found, argument = find_target(target)
    arguments = (config or ArrayConfig(),) if argument is None else (config, argument)
    module = importlib.import_module(f".{found.module}", __package__)
    known = [
        name
        for name, parameter in inspect.signature(module.open_target).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    ]
    for name in options:
        if name not in known:
            raise TypeError(f"target {target} has the options {', '.join(known)}, not {name}")
    return module.open_target(target, *arguments, **options)
