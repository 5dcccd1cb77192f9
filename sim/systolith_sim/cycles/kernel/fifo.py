"""Queues whose entries are popped at times that are known soon after they are written."""

import numpy as np

from .base import ALWAYS, fields, jit

MAX_DEPTH = 256
"""Of ``ArrayConfig.outstanding``."""

FIFO = fields("depth latency count popped", moved=(np.int64, MAX_DEPTH))
"""Amaranth's SyncFIFOBuffered: a memory of depth - 1 entries before an output register.

An entry moves to the register a cycle before it is valid, or when its predecessor is popped; what counts as
full is the memory. The depth is a power of two.
"""


@jit
def set_up(fifo, depth, latency):
    """Empty it."""
    fifo.depth = depth
    fifo.latency = latency
    fifo.popped = ALWAYS


@jit
def writable(fifo):
    """When the next entry can be written at the earliest."""
    if fifo.count < fifo.depth - 1:
        return ALWAYS
    return fifo.moved[fifo.count + 1 & (fifo.depth - 1)] + 1


@jit
def write(fifo, cycle):
    """Write it; when it is valid."""
    moved = max(cycle + fifo.latency - 1, fifo.popped)
    fifo.moved[fifo.count & (fifo.depth - 1)] = moved
    fifo.count += 1
    return moved + 1


@jit
def pop(fifo, cycle):
    """The entry written last is popped."""
    fifo.popped = cycle
