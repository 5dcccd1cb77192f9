"""Queues whose entries are popped at times that are known soon after they are written."""

from typing import NamedTuple

import numpy as np

from .base import ALWAYS, fields, jit

STATE = fields("depth latency count popped")


class Fifo(NamedTuple):
    """Amaranth's SyncFIFOBuffered: a memory of depth - 1 entries before an output register.

    An entry moves to the register a cycle before it is valid, or when its predecessor is popped; what
    counts as full is the memory. The depth is a power of two.
    """

    state: np.void
    moved: np.ndarray


def make_fifo(depth, latency):
    """An empty queue."""
    state = np.zeros(1, STATE)[0]
    state["depth"], state["latency"], state["popped"] = depth, latency, ALWAYS
    return Fifo(state, np.zeros(depth, np.int64))


@jit
def writable(fifo):
    """When the next entry can be written at the earliest."""
    state = fifo.state
    if state.count < state.depth - 1:
        return ALWAYS
    return fifo.moved[state.count + 1 & (state.depth - 1)] + 1


@jit
def write(fifo, cycle):
    """Write it; when it is valid."""
    state = fifo.state
    moved = max(cycle + state.latency - 1, state.popped)
    fifo.moved[state.count & (state.depth - 1)] = moved
    state.count += 1
    return moved + 1


@jit
def pop(fifo, cycle):
    """The entry written last is popped."""
    fifo.state.popped = cycle
