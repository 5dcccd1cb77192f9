"""The targets by name, and what is known of them before one is opened."""

import enum
from typing import NamedTuple

from .errors import UnknownTarget

__all__ = ["TARGETS", "CycleSource", "Target", "check_target"]


class CycleSource(enum.StrEnum):
    """Where a target's cycle counts come from."""

    COUNTERS = "counted by the hardware"
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
    """

    module: str
    about: str
    has_timing: bool
    has_stalls: bool
    cycle_source: CycleSource | None


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
}
"""The targets by name."""


def check_target(target):
    """Check that something is a target's name.

    Raises
    ------
    UnknownTarget
    """
    if target not in TARGETS:
        raise UnknownTarget(f"target must be one of {', '.join(TARGETS)}, not {target!r}")
