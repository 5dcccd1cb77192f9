"""The targets by name, and what is known of them before one is opened."""

import enum
from typing import NamedTuple

from .errors import UnknownTarget

__all__ = ["MEMORY_LATENCY_CYCLES", "TARGETS", "CycleSource", "Target", "find_target"]

MEMORY_LATENCY_CYCLES = 40
"""The simulated memory's unless another is given, known here so that telling it loads no simulator."""


class CycleSource(enum.StrEnum):
    """Where a target's cycle counts come from."""

    COUNTERS = "counted by the hardware"
    BOARD = "counted by the board"
    MODEL = "predicted by the cycle model"


class Target(NamedTuple):
    """What is known of a target before it is opened.

    Parameters
    ----------
    module : str
        The module of this package whose ``open_target`` opens it.
    about : str
        What it is.
    has_timing : bool
        Whether its memory has a timing that can be set.
    has_stalls : bool
        Whether that timing may have random stalls.
    cycle_source : CycleSource or None
        None: it has no notion of cycles.
    argument : str or None
        What its name is followed by, after a colon; ``open_target`` gets it behind the configuration. Such a
        target has a configuration of its own, so that ``open_target`` takes None for it.
    """

    module: str
    about: str
    has_timing: bool
    has_stalls: bool
    cycle_source: CycleSource | None
    argument: str | None = None


TARGETS = {
    "golden": Target(
        "golden",
        "NumPy integer arithmetic: the reference",
        has_timing=False,
        has_stalls=False,
        cycle_source=None,
    ),
    "model": Target(
        "simulated.model",
        "golden results, and the cycles that rtl takes, predicted",
        has_timing=True,
        has_stalls=False,
        cycle_source=CycleSource.MODEL,
    ),
    "rtl": Target(
        "simulated.rtl",
        "cycle-accurate simulation of the hardware",
        has_timing=True,
        has_stalls=True,
        cycle_source=CycleSource.COUNTERS,
    ),
    "netlist": Target(
        "simulated.netlist",
        "simulation of the hardware as synthesized for a board or a family of parts",
        has_timing=True,
        has_stalls=True,
        cycle_source=CycleSource.COUNTERS,
        argument="BOARD",
    ),
    "serial": Target(
        "serial",
        "a board at a serial port",
        has_timing=False,
        has_stalls=False,
        cycle_source=CycleSource.BOARD,
        argument="PORT[,BAUD]",
    ),
}
"""The targets by name."""


def find_target(target):
    """What is known of a target, from what stands for it.

    Parameters
    ----------
    target : str
        A name in :data:`TARGETS`, with a colon and its argument if it takes one.

    Returns
    -------
    Target
    str or None
        The argument.

    Raises
    ------
    UnknownTarget
        If there is no such target, it lacks its argument, or it takes none.
    """
    name, colon, argument = target.partition(":") if isinstance(target, str) else (None, "", "")
    found = TARGETS.get(name)
    if found is None or (colon and found.argument is None):
        forms = (_form(name, known) for name, known in TARGETS.items())
        raise UnknownTarget(f"target must be one of {', '.join(forms)}, not {target!r}")
    if found.argument is None:
        return found, None
    if not argument:
        raise UnknownTarget(f"target must be {_form(name, found)}, not {target!r}")
    return found, argument


def _form(name, target):
    return name if target.argument is None else f"{name}:{target.argument}"
