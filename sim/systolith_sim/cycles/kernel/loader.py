"""The loaders of A and B: panels, row by row. ``PanelLoader``, and what ``ALoader`` and ``BLoader`` share."""

from typing import NamedTuple

import numpy as np

from . import buffer as buffers
from . import jobs, walk
from .base import ALWAYS, NEVER, fields, jit
from .buffer import Buffer
from .walk import PANEL, WALK

LOADER = fields(
    "job active staged walking",
    at=fields("job_ready offered stage_free staged done valid"),
    walk=WALK,
    next=PANEL,
    panel=PANEL,
)
"""Jobs accepted; what the loader is at; when: the next job may be accepted, the next panel is offered, its
stage is free, it was staged, the last request of the last panel was granted, the next request is offered."""


class Loader(NamedTuple):
    """The state, and the buffer that is filled."""

    state: np.void
    buffer: Buffer


@jit
def set_up(setup, loader):
    """Begin before the first job."""
    state = loader.state
    walk.set_up(setup, state.walk)
    state.at.offered = state.at.valid = NEVER
    state.at.stage_free = state.at.done = ALWAYS


@jit
def grant(setup, queue, loader, cycle):
    """The offered request is granted; whether it was the panel's last."""
    state = loader.state
    state.panel.rows -= 1
    if state.panel.rows:
        state.panel.address += state.panel.stride
        state.at.valid = cycle + 1
        return False
    state.at.valid = NEVER
    state.at.done = cycle
    state.walking = False
    if state.panel.block_end:
        state.at.offered = cycle + 2
    settle(setup, queue, loader)
    return True


@jit
def settle(setup, queue, loader):
    """Begin and stage what can be."""
    state = loader.state
    while True:
        if not state.staged and not _stage(setup, queue, state):
            return
        if state.walking:
            return
        size = state.next.lines * state.next.rows
        free = buffers.free(loader.buffer, size)
        if free == NEVER:
            return
        begin = max(state.at.staged + 3, state.at.done, free + 2)
        buffers.reserve(loader.buffer, size)
        state.panel = state.next
        state.staged = False
        state.at.stage_free = begin + 1
        state.walking = True
        state.at.valid = begin + 1


@jit
def _stage(setup, queue, state):
    """Stage the next panel; whether there is one."""
    if not state.active:
        accepted = jobs.accept(queue, state.job, state.at.job_ready)
        if accepted == NEVER:
            return False
        walk.load(setup, state.walk, jobs.descriptor(queue, state.job))
        state.job += 1
        state.at.offered = accepted + 1
        state.active = True
    if state.at.offered == NEVER:
        return False
    descriptor = jobs.descriptor(queue, state.job - 1)
    state.at.staged = max(state.at.offered, state.at.stage_free)
    state.staged = True
    walk.panel(setup, state.walk, descriptor, state.next)
    state.at.offered = NEVER if state.next.block_end else state.at.staged + 1
    state.active = walk.advance(state.walk, descriptor)
    state.at.job_ready = state.at.staged + 1
    return True
