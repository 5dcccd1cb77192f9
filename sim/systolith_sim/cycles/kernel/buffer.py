"""An operand buffer: when rows arrive in it, and when its lines become free."""

from typing import NamedTuple

import numpy as np

from .base import ALWAYS, NEVER, fields, inlined, jit

BUFFER = fields("lines", count=fields("arrived taken reserved passed head segments"))
"""Rows arrived and taken; lines reserved; lines of the segments before ``head``; segments."""


MAX_LINES = 16384
"""Of ``ArrayConfig.a_buffer_lines`` and ``.b_buffer_lines``."""

RINGS = fields(
    "", arrivals=(np.int64, MAX_LINES), starts=(np.int64, 2 * MAX_LINES), sizes=(np.int64, 2 * MAX_LINES)
)
"""Of the latest rows, when they can be seen; runs of lines that become free, one a cycle. No more runs are
remembered than there are lines, and the one that is being used up."""


class Buffer(NamedTuple):
    """The state, and the rings, of which nothing is read that was not written."""

    state: np.void
    rings: np.void


@inlined
def arrive(buffer, cycle):
    """A row is there, visible to the consumer from ``cycle`` on."""
    state = buffer.state
    buffer.rings.arrivals[state.count.arrived & (state.lines - 1)] = cycle
    state.count.arrived += 1


@inlined
def ready(buffer, rows):
    """When ``rows`` rows are there that have not been taken."""
    state = buffer.state
    last = state.count.taken + rows - 1
    return NEVER if last >= state.count.arrived else buffer.rings.arrivals[last & (state.lines - 1)]


@inlined
def untaken(buffer):
    """How many rows are there, or known to come, that have not been taken."""
    return buffer.state.count.arrived - buffer.state.count.taken


@inlined
def take(buffer, rows):
    """Rows are in use from now on."""
    buffer.state.count.taken += rows


@inlined
def release(buffer, cycle, lines):
    """Lines become free, one a cycle, the first in ``cycle``."""
    state = buffer.state
    mask = 2 * state.lines - 1
    last = state.count.segments - 1 & mask
    if state.count.segments and buffer.rings.starts[last] + buffer.rings.sizes[last] == cycle:
        buffer.rings.sizes[last] += lines
    else:
        new = state.count.segments & mask
        buffer.rings.starts[new] = cycle
        buffer.rings.sizes[new] = lines
        state.count.segments += 1


@jit
def free(buffer, lines):
    """When ``lines`` more can be reserved."""
    state = buffer.state
    mask = 2 * state.lines - 1
    releases = state.count.reserved + lines - state.lines
    if releases <= 0:
        return ALWAYS
    if state.count.segments == 0:
        return NEVER
    # The last segment may still grow.
    while state.count.passed + buffer.rings.sizes[state.count.head & mask] < releases:
        if state.count.head + 1 == state.count.segments:
            return NEVER
        state.count.passed += buffer.rings.sizes[state.count.head & mask]
        state.count.head += 1
    return buffer.rings.starts[state.count.head & mask] + (releases - state.count.passed)


@inlined
def reserve(buffer, lines):
    """Lines are spoken for."""
    buffer.state.count.reserved += lines
