"""A case on the RTL: what the host of a board would see, and when."""

import dataclasses

import numpy as np
from systolith_hw import REGISTERS, Completion
from systolith_hw.descriptor import COMPLETION_FIELDS, RECORD_BYTES, SLOT_BYTES
from systolith_hw.registers import Control

from systolith_sim.conditions import MemoryEquals

from .prediction import Prediction

__all__ = ["RING_SLOTS", "run_rtl"]

RING_SLOTS = 64

_TAG_OFFSET = RECORD_BYTES + 4 * COMPLETION_FIELDS["tag"].word

_VISIBLE_CYCLES = 1
"""From a record's data in memory, as the simulator reports it, until the device counts the completion."""


def run_rtl(simulator, case):
    """What the device reports of every descriptor, and when.

    Parameters
    ----------
    simulator : Simulator
        Reset before anything else.
    case : Case

    Returns
    -------
    list of Prediction
        ``completed_cycle`` is None where the descriptor completed before the last doorbell was rung.
    """
    simulator.reset()
    simulator.set_timing(case.timing)
    count = len(case.descriptors)
    ring = simulator.memory[case.ring_base :][: count * SLOT_BYTES].reshape(count, SLOT_BYTES)
    ring[:] = 0
    for index, descriptor in enumerate(case.descriptors):
        packed = dataclasses.replace(descriptor, interrupt=False, tag=index + 1).pack()
        ring[index, :RECORD_BYTES] = np.frombuffer(packed, np.uint8)
    registers = {
        "ring_base": case.ring_base,
        "ring_size": RING_SLOTS.bit_length() - 1,
        "control": Control.ENABLE,
    }
    for name, value in registers.items():
        simulator.write_register(REGISTERS[name].offset, value)
    origin = _ring_doorbells(simulator, case.available or (0,) * count)
    completed = _completed_cycles(simulator, case, origin)
    return [
        Prediction(counters=Completion.unpack(slot[RECORD_BYTES:].tobytes()).counters, completed_cycle=cycle)
        for slot, cycle in zip(ring, completed, strict=True)
    ]


def _ring_doorbells(simulator, available):
    """Submit the descriptors when they are to be; the simulator's cycle that is cycle 0 of the case."""
    # A register can be seen from the cycle after the one in which its write is taken.
    origin = simulator.cycles + 1
    for cycle in sorted(set(available)):
        simulator.run(max_cycles=origin + cycle - 1 - simulator.cycles, until=None)
        submitted = sum(each <= cycle for each in available)
        simulator.write_register(REGISTERS["ring_tail"].offset, submitted)
    return origin


def _completed_cycles(simulator, case, origin):
    """When each descriptor completes; None where it has already."""
    completed = []
    for index in range(len(case.descriptors)):
        before = simulator.cycles
        address = case.ring_base + index * SLOT_BYTES + _TAG_OFFSET
        simulator.run(until=MemoryEquals(address=address, value=index + 1))
        cycle = simulator.cycles - origin + _VISIBLE_CYCLES
        completed.append(None if simulator.cycles == before else cycle)
    return completed
