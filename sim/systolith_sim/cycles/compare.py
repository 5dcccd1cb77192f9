"""The model against the RTL."""

import dataclasses

import numpy as np
from systolith_hw import REGISTERS, Completion
from systolith_hw.descriptor import RECORD_BYTES, SLOT_BYTES, Counters
from systolith_hw.registers import Control, Interrupt

from .cases import Case
from .prediction import predict

__all__ = ["Comparison", "compare", "run_rtl"]

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
    for slot, descriptor in zip(ring, case.descriptors, strict=True):
        last = descriptor is case.descriptors[-1]
        slot[:RECORD_BYTES] = np.frombuffer(dataclasses.replace(descriptor, interrupt=last).pack(), np.uint8)
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
