"""The descriptor fetch."""

from typing import NamedTuple

import numpy as np

from . import jobs
from .base import NEVER, fields, jit

STATE = fields("dispatched released")
"""Descriptors dispatched, and those whose slot is free again."""

PROGRESS = fields("available dispatched released recorded")
"""Of one descriptor, when: the doorbell was rung for it, it is dispatched, the last beat of its record is
sent, its completion is seen by the host."""


class Fetch(NamedTuple):
    """The state, and the progress of every descriptor."""

    state: np.void
    progress: np.ndarray


def make_fetch(available):
    """Before the first descriptor."""
    progress = np.zeros(len(available), PROGRESS)
    progress["available"] = available
    return Fetch(np.zeros(1, STATE)[0], progress)


@jit
def valid(setup, fetch):
    """When the next request is offered."""
    state, progress = fetch.state, fetch.progress
    number = state.dispatched
    if number == len(progress):
        return NEVER
    idle = progress[number].available
    if number:
        idle = max(idle, progress[number - 1].dispatched + 1)
    holder = number - setup.descriptor_slots
    if holder < 0:
        return idle
    return max(idle, progress[holder].released + 1) if holder < state.released else NEVER


@jit
def slot(setup, number):
    """The address of a descriptor."""
    return setup.ring_base + ((setup.first_index + number) & (setup.ring_slots - 1)) * setup.slot_bytes


@jit
def read(setup, queue, fetch, cycle):
    """The last beat is on R in this cycle: collected, checked, dispatched."""
    number = fetch.state.dispatched
    dispatched = cycle + setup.read_dma + 2
    fetch.progress[number].dispatched = dispatched
    fetch.state.dispatched += 1
    if queue.descriptors[number].runs:
        jobs.dispatch(queue, number, dispatched + setup.queue)
