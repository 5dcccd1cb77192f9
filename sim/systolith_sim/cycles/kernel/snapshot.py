"""What the future of a unit depends on, as words that do not change when everything happens later.

Positions are relative to the tile that is being computed, times to the cycle in which its sequencer goes on.
Times that have passed for good are all alike.
"""

import numpy as np

from . import jobs
from . import store as stores
from . import tiles as tilings
from .base import ALWAYS, NEVER, fields, inlined, jit
from .state import PLAIN, SINGLE_STORE_TIMES, SINGLE_TIMES

SLOTS = 8
"""Snapshots that are kept."""

ROW_SLOTS = 2
"""Likewise, of the store only."""

MAX_WORDS = 4096

SNAPSHOTS = fields(
    "job batch m tile storing taken period reference floor size begin",
    words=(np.int64, (SLOTS + ROW_SLOTS) * MAX_WORDS),
    **dict.fromkeys(
        ("sizes", "n", "references", "compute", "wait_a", "wait_b", "wait_output"),
        (np.int64, SLOTS + ROW_SLOTS),
    ),
)
"""The sweep that they are of, the tile looked at last, the row
that the store's first is of, and how many have been taken in the sweep; after how
many tiles bursts cross boundaries as before; of the one that is being taken, the time others are relative
to, the one up to which all have passed, its size, and where its words begin; of each, its words and size,
where and when it was taken, and what had been charged."""


@jit
def take(setup, state, words, a, b, snapshots, low):
    """Take a snapshot when nothing more can happen before ``low``; whether there is room for it."""
    slot = snapshots.taken % SLOTS
    reference = state.passes.at.next
    _begin(setup, snapshots, slot, reference, min(low, reference))
    for index in SINGLE_TIMES:
        _time(snapshots, words[index])
    for index in PLAIN:
        _put(snapshots, words[index])
    _put_descriptors(state, snapshots)
    _put_tiles(state, snapshots)
    _put_store(setup, state, snapshots)
    for fifo in (state.reads.pending, state.writes.data, state.writes.responses):
        _put_fifo(fifo, snapshots)
    for channel in (state.reads.channel, state.writes.channel):
        _put_channel(channel, snapshots)
    if not (_put_buffer(a.buffer, snapshots) and _put_buffer(b.buffer, snapshots)):
        return False
    job = state.jobs.ring[(state.jobs.begun - 1) & jobs.RING - 1]
    snapshots.sizes[slot] = snapshots.size
    snapshots.n[slot] = state.passes.nest.n
    snapshots.references[slot] = reference
    snapshots.compute[slot] = job.compute
    snapshots.wait_a[slot] = job.wait_a
    snapshots.wait_b[slot] = job.wait_b
    snapshots.wait_output[slot] = job.wait_output
    snapshots.taken += 1
    return True


@jit
def take_row(setup, state, words, snapshots, slot):
    """Take a snapshot of the store and the write DMA in the middle of a tile."""
    store, writes = state.store, state.writes
    at = store.at
    reference = at.granted_last
    low = min(reference, at.row_taken, at.popped_last, at.sent_last, writes.splitter.at.loaded)
    _begin(setup, snapshots, slot, reference, low)
    for index in SINGLE_STORE_TIMES:
        _time(snapshots, words[index])
    _put(snapshots, store.entering)
    _put(snapshots, store.group)
    _put(snapshots, store.held)
    _put_store(setup, state, snapshots)
    for fifo in (writes.data, writes.responses):
        _put_fifo(fifo, snapshots)
    _put_channel(writes.channel, snapshots)
    snapshots.sizes[slot] = snapshots.size
    snapshots.references[slot] = reference


@inlined
def _begin(setup, snapshots, slot, reference, low):
    snapshots.reference = reference
    # The way through the epilogue is the most that is added to a time before it is compared with others.
    snapshots.floor = low - setup.epilogue - 8
    snapshots.size = 0
    snapshots.begin = slot * MAX_WORDS


@jit
def equal(snapshots, one, other):
    """Whether two snapshots are the same."""
    size = snapshots.sizes[one]
    if size != snapshots.sizes[other]:
        return False
    for index in range(size):
        if snapshots.words[one * MAX_WORDS + index] != snapshots.words[other * MAX_WORDS + index]:
            return False
    return True


@inlined
def _put(snapshots, word):
    snapshots.words[snapshots.begin + snapshots.size] = word
    snapshots.size += 1


@inlined
def _time(snapshots, cycle):
    if cycle <= snapshots.floor:
        word = ALWAYS
    elif cycle >= NEVER:
        word = NEVER
    else:
        word = cycle - snapshots.reference
    _put(snapshots, word)


@jit
def _put_descriptors(state, snapshots):
    _put(snapshots, state.jobs.dispatched)
    _put(snapshots, state.fetch.dispatched)
    _put(snapshots, state.fetch.released)
    _put(snapshots, state.completion.number)


@jit
def _put_tiles(state, snapshots):
    tiles, passes = state.tiles, state.passes
    _put(snapshots, passes.count.tile - tiles.count.finished)
    _put(snapshots, passes.count.tile - tiles.count.released)
    _put(snapshots, passes.count.tile - state.weights.count.tile)
    _put(snapshots, passes.count.tile - state.store.count.tile)
    for nest in (state.b_loader.walk.nest, state.weights.nest, state.store.nest):
        _put(snapshots, nest.n - passes.nest.n)
    for back in range(1, 1 + tilings.HALVES):
        _time(snapshots, tiles.at.stored_from[(tiles.count.finished - back) & tilings.RING - 1])
        _time(snapshots, tiles.at.released[(tiles.count.released - back) & tilings.RING - 1])


@jit
def _put_store(setup, state, snapshots):
    store = state.store
    count, at = store.count, store.at
    _put(snapshots, count.accepted - count.granted)
    _put(snapshots, count.entries - count.popped)
    for row in range(max(0, count.accepted - setup.write_queue), count.accepted):
        place = row & stores.RING - 1
        _time(snapshots, at.accepted[place])
        _time(snapshots, at.granted[place] if row < count.granted else ALWAYS)
        waits = row >= count.granted
        _put(snapshots, store.beats[place] if waits else 0)
        _put(snapshots, store.end[place] if waits else 0)
    for entry in range(max(0, count.popped - setup.epilogue_places), count.entries):
        place = entry & stores.RING - 1
        waits = entry >= count.popped
        _time(snapshots, at.entered[place] if waits else at.popped[place])
        _put(snapshots, store.completes[place] if waits else 0)


@jit
def _put_fifo(fifo, snapshots):
    # Entries move in order: those before one that has long moved have, too.
    written = fifo.count.written
    entry = written - 1
    while entry >= max(0, written - fifo.depth) and fifo.at.moved[entry & (fifo.depth - 1)] > snapshots.floor:
        _time(snapshots, fifo.at.moved[entry & (fifo.depth - 1)])
        entry -= 1
    _put(snapshots, ALWAYS)


@jit
def _put_channel(channel, snapshots):
    if channel.free_ticks <= channel.numerator * snapshots.floor:
        _put(snapshots, ALWAYS)
    else:
        _put(snapshots, channel.free_ticks - channel.numerator * snapshots.reference)


@jit
def _put_buffer(buffer, snapshots):
    """Whether there is room for the buffer."""
    lines, count, rings = buffer.state.lines, buffer.state.count, buffer.rings
    runs = count.segments - count.head
    if snapshots.size + count.arrived - count.taken + 2 * runs + 4 > MAX_WORDS:
        return False
    _put(snapshots, count.arrived - count.taken)
    # What of the first run has been reserved again.
    used = max(0, count.reserved - lines - count.passed)
    _put(snapshots, count.reserved - count.passed - used)
    _put(snapshots, runs)
    # Rows arrive in order: those before one that has passed have, too.
    row = count.arrived - 1
    while row >= count.taken and rings.arrivals[row & (lines - 1)] > snapshots.floor:
        _time(snapshots, rings.arrivals[row & (lines - 1)])
        row -= 1
    _put(snapshots, ALWAYS)
    for run in range(count.head, count.segments):
        place = run & (2 * lines - 1)
        begin, size = rings.starts[place] + used, rings.sizes[place] - used
        used = 0
        _time(snapshots, begin if begin + size > snapshots.floor else ALWAYS)
        _put(snapshots, size)
    return True
