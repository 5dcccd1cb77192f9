"""The whole accelerator."""

from typing import NamedTuple

import numpy as np

from . import completion as completions
from . import loader, passes, read, store, weights, write
from .base import NEVER, jit
from .completion import COMPLETION
from .fetch import make_fetch
from .jobs import Jobs, make_jobs
from .passes import PASSES
from .read import Reads, make_reads
from .store import STORE
from .tiles import TILES
from .weights import WEIGHTS
from .write import Writes, make_writes


class Model(NamedTuple):
    """The configuration and the memory, the jobs, and every unit."""

    setup: np.void
    jobs: Jobs
    reads: Reads
    tiles: np.void
    weights: np.void
    passes: np.void
    store: np.void
    writes: Writes
    completion: np.void


def make_model(setup, descriptors, available):
    """An idle accelerator, and the descriptors that it is going to be given.

    Parameters
    ----------
    setup : numpy.void
    descriptors : numpy.ndarray
        Of records.
    available : sequence of int
        When each is submitted.
    """
    layouts = {
        "tiles": TILES,
        "weights": WEIGHTS,
        "passes": PASSES,
        "store": STORE,
        "completion": COMPLETION,
    }
    states = {name: np.zeros(1, layout)[0] for name, layout in layouts.items()}
    weights.set_up(states["weights"], setup)
    passes.set_up(states["passes"], setup)
    store.set_up(states["store"])
    completions.set_up(states["completion"], available[0])
    return Model(
        setup=setup,
        jobs=make_jobs(descriptors),
        reads=make_reads(setup, make_fetch(available)),
        writes=make_writes(setup),
        **states,
    )


def run(model):
    """Run all descriptors to their end; whether that is reached. To be compiled."""
    setup, queue, reads, _, _, _, stored, writes, completion = model
    while not completions.done(completion, queue):
        _settle(model)
        at_read = read.next_grant(setup, reads)
        at_write = write.next_grant(setup, writes, stored)
        at_end = completions.next_end(setup, queue, reads.fetch, completion)
        if min(at_read, at_write, at_end) == NEVER:
            return False
        if at_read <= min(at_write, at_end):
            read.grant(setup, queue, reads, min(at_write, at_end))
        elif at_write <= at_end:
            _grant_writes(model, min(at_read, at_end))
        else:
            completions.close(setup, queue, reads.fetch, writes, completion, at_end)
    return True


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
    """Grant writes up to ``limit``, until one has an effect beyond the store."""
    setup, queue, reads, tiles, _, _, stored, writes, completion = model
    released, finished = tiles.released, queue.counts.stored
    while True:
        cycle = write.next_grant(setup, writes, stored)
        sent = write.grant(setup, queue, writes, stored, cycle)
        if sent != NEVER:
            completions.recorded(reads.fetch, completion, sent, writes.state.response)
            return
        store.settle(setup, queue, tiles, stored)
        if write.next_grant(setup, writes, stored) > limit:
            return
        if tiles.released != released or queue.counts.stored != finished:
            return
