"""What a check of the self-test ends with."""

import dataclasses
import enum

__all__ = ["Effort", "Outcome", "Status", "failed", "not_applicable", "passed"]


class Status(enum.StrEnum):
    """How a check ended."""

    PASS = "pass"  # noqa: S105 -- no password
    FAIL = "fail"
    NOT_APPLICABLE = "not applicable"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a check ended, and what it found.

    Parameters
    ----------
    status : Status
    detail : str
        What was checked, what was wrong, or why the check does not apply.
    figures : dict of str to int, float, str, list or None
        What was measured, or where it went wrong.
    """

    status: Status
    detail: str
    figures: dict = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Effort:
    """How much the checks may do.

    Parameters
    ----------
    memory_seconds : float
        About what a march through memory may take.
    measure_seconds : float
        About what a measurement takes.
    large : bool
        Whether products grow beyond the accumulators in M.
    seed : int
        Of the operands.
    """

    memory_seconds: float
    measure_seconds: float
    large: bool
    seed: int

    @classmethod
    def full(cls, seed=0):
        """Well within a minute."""
        return cls(memory_seconds=8.0, measure_seconds=1.0, large=True, seed=seed)

    @classmethod
    def quick(cls, seed=0):
        """A few seconds."""
        return cls(memory_seconds=0.5, measure_seconds=0.1, large=False, seed=seed)


def passed(detail, **figures):
    """The outcome of a check that held."""
    return Outcome(status=Status.PASS, detail=detail, figures=figures)


def failed(detail, **figures):
    """The outcome of a check that did not hold."""
    return Outcome(status=Status.FAIL, detail=detail, figures=figures)


def not_applicable(reason, **figures):
    """The outcome of a check that means nothing on this target."""
    return Outcome(status=Status.NOT_APPLICABLE, detail=reason, figures=figures)
