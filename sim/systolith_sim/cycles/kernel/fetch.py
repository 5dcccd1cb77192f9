"""The descriptor fetch."""

import numpy as np

from . import jobs
from .base import NEVER, fields, inlined, jit

RING = 16
"""Descriptors that are remembered; more than can be in flight."""

FETCH = fields(
    "count dispatched released available", dispatched_at=(np.int64, RING), released_at=(np.int64, RING)
)
"""Descriptors in all, those dispatched, and those whose slot is free again; when the doorbell is rung for the
next; of each, when it is dispatched, and its slot is released."""


@jit
def set_up(fetch, available):
    """Begin before the first descriptor."""
    fetch.count = len(available)
    fetch.available = available[0]


@inlined
def valid(setup, fetch):
    """When the next request is offered."""
    number = fetch.dispatched
    if number == fetch.count:
        return NEVER
    idle = fetch.available
    if number:
        idle = max(idle, fetch.dispatched_at[(number - 1) & RING - 1] + 1)
    holder = number - setup.descriptor_slots
    if holder >= fetch.released:
        return NEVER
    if holder >= 0:
        idle = max(idle, fetch.released_at[holder & RING - 1] + 1)
    return idle + 1


@inlined
def slot(setup, number):
    """The address of a descriptor."""
    return setup.ring_base + ((setup.first_index + number) & (setup.ring_slots - 1)) * setup.slot_bytes


@jit
def read(setup, queue, fetch, descriptors, available, cycle):
    """The last beat is on R in this cycle: collected, checked, dispatched."""
    number = fetch.dispatched
    dispatched = cycle + setup.read_dma + 1 + setup.check
    fetch.dispatched_at[number & RING - 1] = dispatched
    fetch.dispatched += 1
    if fetch.dispatched < fetch.count:
        fetch.available = available[fetch.dispatched]
    if descriptors[number].runs:
        jobs.dispatch(queue, descriptors[number], dispatched + setup.queue)


@jit
def release(fetch, cycle):
    """The last beat of the oldest descriptor's record is sent in this cycle."""
    fetch.released_at[fetch.released & RING - 1] = cycle
    fetch.released += 1
