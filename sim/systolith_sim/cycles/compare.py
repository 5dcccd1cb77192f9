"""The model against the RTL."""

import dataclasses
import itertools

import numpy as np
from systolith_hw import REGISTERS, Completion
from systolith_hw.descriptor import RECORD_BYTES, SLOT_BYTES, Counters
from systolith_hw.registers import Control, Interrupt

from .cases import Case, random_cases
from .prediction import predict

__all__ = ["Comparison", "compare", "compare_random", "run_rtl"]

_RING_SLOTS = 64


@dataclasses.dataclass(frozen=True, kw_only=True)
class Comparison:
    """What model and RTL say of one case: a :class:`Counters` for every descriptor."""

    case: Case
    model: list
    rtl: list

    @property
    def cycles(self):
        """Cycles that the RTL charged."""
        return sum(counters.total for counters in self.rtl)

    @property
    def error_cycles(self):
        """The largest difference of any counter of any descriptor."""
        return max(
            abs(getattr(ours, field.name) - getattr(theirs, field.name))
            for ours, theirs in zip(self.model, self.rtl, strict=True)
            for field in dataclasses.fields(Counters)
        )

    @property
    def equal(self):
        """Whether every counter is the same."""
        return self.model == self.rtl


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
    model = predict(
        config, case.descriptors, timing=case.timing, ring_base=case.ring_base, ring_slots=_RING_SLOTS
    )
    return Comparison(case=case, model=model, rtl=run_rtl(simulator, case))


def run_rtl(simulator, case):
    """The counters of every descriptor, as the RTL writes them to memory."""
    simulator.reset()
    simulator.set_timing(case.timing)
    count = len(case.descriptors)
    ring = simulator.memory[case.ring_base :][: count * SLOT_BYTES].reshape(count, SLOT_BYTES)
    for index, descriptor in enumerate(case.descriptors):
        last = index == count - 1
        packed = dataclasses.replace(descriptor, interrupt=last).pack()
        ring[index, :RECORD_BYTES] = np.frombuffer(packed, np.uint8)
    registers = {
        "ring_base": case.ring_base,
        "ring_size": _RING_SLOTS.bit_length() - 1,
        "irq_enable": Interrupt.COMPLETION | Interrupt.FAULT,
        "control": Control.ENABLE,
        "ring_tail": count,
    }
    for name, value in registers.items():
        simulator.write_register(REGISTERS[name].offset, value)
    simulator.run(until="irq")
    return [Completion.unpack(slot[RECORD_BYTES:].tobytes()).counters for slot in ring]


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


def _shortest(config, simulator, result):
    """Leave out descriptors one by one while the difference remains."""
    for index in reversed(range(len(result.case.descriptors))):
        queue = result.case.descriptors
        rest = queue[:index] + queue[index + 1 :]
        if rest:
            shorter = compare(config, simulator, dataclasses.replace(result.case, descriptors=rest))
            result = result if shorter.equal else shorter
    return result
