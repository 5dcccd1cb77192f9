"""The model against the RTL."""

import dataclasses
import itertools

from systolith_hw.descriptor import Counters

from .cases import Case, random_cases
from .prediction import predict_completions
from .rtl import RING_SLOTS, run_rtl

__all__ = ["Comparison", "compare", "compare_random"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Comparison:
    """What model and RTL say of one case: a :class:`~.prediction.Prediction` for every descriptor."""

    case: Case
    model: list
    rtl: list

    @property
    def cycles(self):
        """Cycles that the RTL charged."""
        return sum(each.counters.total for each in self.rtl)

    @property
    def error_cycles(self):
        """The largest difference of any counter or time of any descriptor."""
        return max(itertools.starmap(_error_cycles, zip(self.model, self.rtl, strict=True)))

    @property
    def equal(self):
        """Whether every counter and every time is the same."""
        return self.error_cycles == 0


def compare(config, simulator, case):
    """Predict a case, run it, and put both side by side.

    Parameters
    ----------
    config : ArrayConfig
    simulator : Simulator
        Of that configuration, with at least :data:`~.cases.MEMORY_BYTES` of memory. It is reset.
    case : Case

    Returns
    -------
    Comparison
    """
    model = predict_completions(
        config,
        case.descriptors,
        timing=case.timing,
        available=case.available,
        ring_base=case.ring_base,
        ring_slots=RING_SLOTS,
    )
    return Comparison(case=case, model=model, rtl=run_rtl(simulator, case))


def compare_random(config, simulator, *, seed, cases):
    """Compare random cases.

    Parameters
    ----------
    config : ArrayConfig
    simulator : Simulator
        As for :func:`compare`.
    seed, cases : int

    Returns
    -------
    cycles : int
        That the RTL charged.
    mismatches : list of Comparison
        The cases that differ, each with the shortest queue found that still does.
    """
    cycles, mismatches = 0, []
    for case in itertools.islice(random_cases(config, seed=seed), cases):
        result = compare(config, simulator, case)
        cycles += result.cycles
        if not result.equal:
            mismatches.append(_shortest(config, simulator, result))
    return cycles, mismatches


def _error_cycles(ours, theirs):
    names = ("total", *(field.name for field in dataclasses.fields(Counters)))
    errors = [abs(getattr(ours.counters, name) - getattr(theirs.counters, name)) for name in names]
    if theirs.completed_cycle is not None:
        errors.append(abs(ours.completed_cycle - theirs.completed_cycle))
    return max(errors)


def _shortest(config, simulator, result):
    """Leave out descriptors one by one while the difference remains."""
    for index in reversed(range(len(result.case.descriptors))):
        case = result.case
        if len(case.descriptors) > 1:
            shorter = compare(config, simulator, _without(case, index))
            result = result if shorter.equal else shorter
    return result


def _without(case, index):
    """The case without one of its descriptors; the first is always submitted in cycle 0."""
    descriptors, available = (
        values and values[:index] + values[index + 1 :] for values in (case.descriptors, case.available)
    )
    if available:
        available = tuple(cycle - available[0] for cycle in available)
    return dataclasses.replace(case, descriptors=descriptors, available=available)
