"""The whole accelerator."""

import numpy as np

from . import completion, fetch, loader, passes, period, read, rows, store, weights, write
from .base import NEVER, jit
from .buffer import RINGS, Buffer
from .completion import RESULT
from .loader import Loader
from .read import Reads
from .snapshot import SNAPSHOTS
from .state import STATE


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
    reads = Reads(state.reads, state.fetch, a, b)
    fetch.set_up(state.fetch, available)
    read.set_up(setup, reads)
    weights.set_up(setup, state.weights)
    passes.set_up(setup, state.passes)
    store.set_up(state.store)
    write.set_up(setup, state.writes)
    completion.set_up(state.completion, available[0])
    period.set_up(snapshots[0])
    while not completion.done(state.fetch, state.completion):
        _settle(setup, state, reads)
        at_read = read.next_grant(setup, reads)
        at_write = write.next_grant(setup, state.writes, state.store)
        at_end = completion.next_end(setup, state.jobs, state.fetch, state.completion, descriptors)
        low = min(at_read, at_write, at_end)
        if low == NEVER:
            return False
        if at_end == NEVER and period.skip(setup, state, words, a, b, snapshots[0], low):
            continue
        if at_read <= min(at_write, at_end):
            end = read.grant(setup, state.jobs, reads, min(at_write, at_end))
            if end != NEVER:
                fetch.read(setup, state.jobs, state.fetch, descriptors, available, end)
        elif at_write <= at_end:
            sent = _grant_writes(setup, state, words, snapshots[0], at_read, at_end)
            if sent != NEVER:
                completion.recorded(state.fetch, state.completion, results, sent, state.writes.at.response)
        else:
            completion.close(
                setup, state.jobs, state.writes, state.completion, descriptors, available, results, at_end
            )
    return True


@jit
def _settle(setup, state, reads):
    """Let every unit do what it can."""
    queue, tiles, weighing, issuing = state.jobs, state.tiles, state.weights, state.passes
    while True:
        loader.settle(setup, queue, reads.a)
        loader.settle(setup, queue, reads.b)
        moved = weights.settle(setup, queue, tiles, reads.b.buffer, weighing)
        moved |= passes.settle(setup, queue, tiles, reads.a.buffer, weighing, issuing)
        moved |= store.settle(setup, queue, tiles, state.store)
        if not moved:
            return


@jit
def _grant_writes(setup, state, words, snapshots, at_read, at_end):
    """Grant writes, until one has an effect beyond the store or something else comes first.

    The cycle of the last beat if a record was written, else ``NEVER``.
    """
    queue, tiles, writes, ended = state.jobs, state.tiles, state.writes, state.completion
    limit = min(at_read, at_end)
    # What is read does not matter to rows within a tile, unless it is a descriptor that ends at once.
    row_limit = limit if ended.writing or ended.number == state.fetch.dispatched else at_end
    released, finished = tiles.count.released, queue.stored
    while True:
        cycle = write.next_grant(setup, writes, state.store)
        sent = write.grant(setup, queue, tiles, writes, state.store, cycle)
        if sent != NEVER:
            return sent
        store.settle(setup, queue, tiles, state.store)
        rows.skip(setup, state, words, snapshots, row_limit)
        if write.next_grant(setup, writes, state.store) > limit:
            return NEVER
        if tiles.count.released != released or queue.stored != finished:
            return NEVER
