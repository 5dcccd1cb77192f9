"""Queues whose entries are popped at times that are known soon after they are written."""

import numpy as np

from .base import ALWAYS, fields, inlined, jit

MAX_DEPTH = 256
"""Of ``ArrayConfig.outstanding``."""

FIFO = fields(
    "depth latency",
    count=fields("written"),
    at=fields("popped", moved=(np.int64, MAX_DEPTH)),
)
"""``Queue``: a memory of depth - 1 entries before an output register.

An entry moves to the register a cycle before it is valid, or when its predecessor is popped; what counts as
full is the memory. The only word of a queue that is one deep is the register. The depth is a power of two.
"""


@jit
def set_up(fifo, depth, latency):
    """Empty it."""
    fifo.depth = depth
    fifo.latency = latency
    fifo.at.popped = ALWAYS


@inlined
def writable(fifo):
    """When the next entry can be written at the earliest."""
    if fifo.depth == 1:
        return fifo.at.popped + 1
    if fifo.count.written < fifo.depth - 1:
        return ALWAYS
    return fifo.at.moved[fifo.count.written + 1 & (fifo.depth - 1)] + 1


@inlined
def write(fifo, cycle):
    """Write it; when it is valid."""
    moved = max(cycle + fifo.latency - 1, fifo.at.popped)
    fifo.at.moved[fifo.count.written & (fifo.depth - 1)] = moved
    fifo.count.written += 1
    return moved + 1


@inlined
def pop(fifo, cycle):
    """The entry written last is popped."""
    fifo.at.popped = cycle
