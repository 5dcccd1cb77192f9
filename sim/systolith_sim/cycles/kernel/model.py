"""The whole accelerator."""

from typing import NamedTuple

import numpy as np

from . import completion, fetch, loader, passes, period, read, store, weights, write
from .base import NEVER, jit
from .buffer import RINGS, Buffer
from .completion import RESULT
from .loader import Loader
from .read import Reads
from .snapshot import SNAPSHOTS
from .state import STATE


class Model(NamedTuple):
    """The configuration and the memory, the jobs, and every unit."""

    setup: np.void
    jobs: np.void
    reads: Reads
    tiles: np.void
    weights: np.void
    passes: np.void
    store: np.void
    writes: np.void
    completion: np.void


def make_memory():
    """What :func:`predict` works in: nothing is read from it that was not written before."""
    return np.empty(2, RINGS), np.empty(1, SNAPSHOTS)


def predict(run, memory, setup, descriptors, available):
    """Let an idle accelerator run descriptors.

    Parameters
    ----------
    run : callable
        :func:`run`, compiled.
    memory : tuple
        From :func:`make_memory`.
    setup : ``(1,)`` array of records
    descriptors : ``(count,)`` array of records
    available : ``(count,) int64``
        When each is submitted.

    Returns
    -------
    ``(count,)`` array of RESULT
    """
    results = np.zeros(len(descriptors), RESULT)
    # Zeroing words is ten times as fast as zeroing a record.
    words = np.zeros(STATE.itemsize // 8, np.int64)
    ended = run(setup, descriptors, available, results, words, words.view(STATE), *memory)
    assert ended, f"the model stopped: {setup}, {descriptors}, {available}"
    return results


def run(setups, descriptors, available, results, words, states, rings, snapshots):
    """Run all descriptors to their end; whether that is reached."""
    setup, state = setups[0], states[0]
    a = Loader(state.a_loader, Buffer(state.a_buffer, rings[0]))
    b = Loader(state.b_loader, Buffer(state.b_buffer, rings[1]))
    model = Model(
        setup,
        state.jobs,
        Reads(state.reads, state.fetch, a, b),
        state.tiles,
        state.weights,
        state.passes,
        state.store,
        state.writes,
        state.completion,
    )
    fetch.set_up(state.fetch, available)
    read.set_up(setup, model.reads)
    weights.set_up(setup, state.weights)
    passes.set_up(setup, state.passes)
    store.set_up(state.store)
    write.set_up(setup, state.writes)
    completion.set_up(state.completion, available[0])
    period.set_up(snapshots[0])
    while not completion.done(state.fetch, state.completion):
        _settle(model)
        at_read = read.next_grant(setup, model.reads)
        at_write = write.next_grant(setup, state.writes, state.store)
        at_end = completion.next_end(setup, state.jobs, state.fetch, state.completion, descriptors)
        low = min(at_read, at_write, at_end)
        if low == NEVER:
            return False
        if at_end == NEVER and period.skip(setup, state, words, a, b, snapshots[0], low):
            continue
        _happen(model, descriptors, available, results, at_read, at_write, at_end)
    return True


@jit
def _happen(model, descriptors, available, results, at_read, at_write, at_end):
    """Let what comes first happen, and what else can be known to be in order."""
    setup, queue, reads, _, _, _, _, writes, ended = model
    if at_read <= min(at_write, at_end):
        end = read.grant(setup, queue, reads, min(at_write, at_end))
        if end != NEVER:
            fetch.read(setup, queue, reads.fetch, descriptors, available, end)
    elif at_write <= at_end:
        sent = _grant_writes(model, min(at_read, at_end))
        if sent != NEVER:
            completion.recorded(reads.fetch, ended, results, sent, writes.at.response)
    else:
        completion.close(setup, queue, writes, ended, descriptors, available, results, at_end)


@jit
def _settle(model):
    """Let every unit do what it can."""
    setup, queue, reads, tiles, feeder, sequencer, stored, _, _ = model
    while True:
        loader.settle(setup, queue, reads.a)
        loader.settle(setup, queue, reads.b)
        moved = weights.settle(setup, queue, tiles, reads.b.buffer, feeder)
        moved |= passes.settle(setup, queue, tiles, reads.a.buffer, feeder, sequencer)
        moved |= store.settle(setup, queue, tiles, stored)
        if not moved:
            return


@jit
def _grant_writes(model, limit):
    """Grant writes up to ``limit``, until one has an effect beyond the store.

    The cycle of the last beat if a record was written, else ``NEVER``.
    """
    setup, queue, _, tiles, _, _, stored, writes, _ = model
    released, finished = tiles.count.released, queue.stored
    while True:
        sent = write.grant(setup, queue, writes, stored, write.next_grant(setup, writes, stored))
        if sent != NEVER:
            return sent
        store.settle(setup, queue, tiles, stored)
        if write.next_grant(setup, writes, stored) > limit:
            return NEVER
        if tiles.count.released != released or queue.stored != finished:
            return NEVER
