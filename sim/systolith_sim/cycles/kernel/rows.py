"""Rows of a tile that are stored like the one before them are not computed one by one either."""

from . import jobs, snapshot
from .base import NEVER, jit
from .snapshot import SLOTS
from .state import STORE_TIMES, postpone

_EARLIEST = 8
_LEAST = 24
"""When it is looked for: after so many rows of a tile, and at every power of two, if so many are left."""


@jit
def skip(setup, state, words, snapshots, limit):
    """Skip rows that the write DMA is granted up to ``limit``, when it has just been granted one."""
    store = state.store
    row = store.row
    if row < _EARLIEST or store.rows - row < _LEAST:
        return
    slot = SLOTS + (row & 1)
    if row & row - 1 == 0:
        snapshots.storing = -1
        if state.writes.at.record == NEVER and _is_aligned(setup, state):
            snapshots.storing = store.count.granted
            snapshot.take_row(setup, state, words, snapshots, slot)
        return
    if row - 1 & row - 2 or snapshots.storing != store.count.granted - 1:
        return
    snapshots.storing = -1
    snapshot.take_row(setup, state, words, snapshots, slot)
    if not snapshot.equal(snapshots, slot - 1, slot):
        return
    cycles = snapshots.references[slot] - snapshots.references[slot - 1]
    # The last row does more than those before it.
    rows = min(store.rows - 2 - row, (limit - store.at.granted_last) // cycles)
    if rows > 0:
        _repeat(state, words, rows, cycles)


@jit
def _is_aligned(setup, state):
    """Whether no row's burst meets a boundary that it must not cross."""
    d = jobs.descriptor(state.jobs, state.store.job - 1)
    burst = max(1 << setup.bus_log2, setup.columns * d.result_bytes)
    return (d.d_address | d.d_stride | d.d_batch_stride) & (burst - 1) == 0


@jit
def _repeat(state, words, rows, cycles):
    """Let so many rows more be stored, each so many cycles after the one before."""
    store, channel = state.store, state.writes.channel
    postpone(words, STORE_TIMES, rows * cycles)
    channel.free_ticks += channel.numerator * rows * cycles
    store.row += rows
    store.row_address += rows * store.row_stride
