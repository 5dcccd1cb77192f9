"""From finished tiles to beats: store sequencer, epilogue and row packer."""

import numpy as np

from . import jobs, nest, tiles
from .base import ALWAYS, NEVER, ceil_div, fields, inlined, jit, units
from .nest import NEST

RING = 64
"""Rows, and groups of a row, that are remembered; more than can be under way."""

STORE = fields(
    "job active entering row group rows groups row_address row_stride row_beats",
    count=fields("tile accepted granted packed sent entries packed_entries"),
    at=fields(
        "job_ready next entered_last granted_last popped_last sent_last",
        **dict.fromkeys(("accepted", "granted", "packed", "entered", "popped"), (np.int64, RING)),
    ),
    nest=NEST,
    **dict.fromkeys(("address", "beats", "end", "row_end"), (np.int64, RING)),
)
"""Where the store is: jobs accepted, the next row of the tile and the group of the row, how many there are,
what is written of a row; tiles begun; rows accepted, granted by the write DMA, packed and sent; groups that
entered the lanes and that the packer took; when: the next job may be accepted, the next row, and the latest
of each; of every row, when it came how far and what is written; of every group, when it came how far and
whether it is its row's last."""


@jit
def set_up(store):
    """Begin before the first job."""
    store.at.entered_last = store.at.granted_last = store.at.popped_last = store.at.sent_last = ALWAYS


@inlined
def offered(setup, store):
    """When the write DMA may take the next row."""
    if store.count.granted == store.count.accepted:
        return NEVER
    return max(store.at.accepted[store.count.granted & RING - 1] + setup.queue, store.at.granted_last + 1)


@inlined
def grant(setup, store, cycle):
    """The write DMA takes a row; when its first beat is there at the earliest."""
    _pack_known(setup, store)
    row = store.count.granted & RING - 1
    store.at.granted[row] = store.at.granted_last = cycle
    store.count.granted += 1
    return store.at.packed[row] + 1


@inlined
def sent(store, cycle):
    """The last beat of the row granted last is sent in this cycle."""
    store.at.sent_last = cycle
    store.count.sent += 1


@jit
def settle(setup, queue, done, store):
    """Store what can be stored; whether anything was."""
    moved = False
    while _enter(setup, done, store) if store.entering else _accept(setup, queue, done, store):
        moved = True
    return moved


@inlined
def _writable(setup, store):
    """When the queue of row writes has room for the next row."""
    inner = setup.write_queue - 1
    if store.count.accepted < inner:
        return ALWAYS
    moved = store.count.accepted - inner
    in_memory = store.at.accepted[moved & RING - 1] + setup.queue
    if moved == 0:
        return in_memory
    if moved > store.count.granted:
        return NEVER
    return max(in_memory, store.at.granted[(moved - 1) & RING - 1] + 1)


@inlined
def _accept(setup, queue, done, store):
    """The next row leaves the accumulators."""
    if store.row == 0 and not _begin_tile(setup, queue, done, store):
        return False
    room = _writable(setup, store)
    if room == NEVER:
        return False
    cycle = max(store.at.next, store.at.entered_last, room)
    last_row = store.row == store.rows - 1
    row = store.count.accepted & RING - 1
    store.at.accepted[row] = cycle
    store.address[row] = store.row_address
    store.beats[row] = store.row_beats
    store.end[row] = last_row and nest.last(store.nest)
    store.count.accepted += 1
    store.at.next = cycle + 1
    store.at.entered_last = cycle
    store.entering = True
    store.group = 0
    store.row_address += store.row_stride
    store.row += 1
    if last_row:
        store.row = 0
        store.count.tile += 1
        store.active = not nest.last(store.nest)
        store.at.job_ready = cycle
        nest.advance(store.nest)
    return True


@jit
def _begin_tile(setup, queue, done, store):
    """Whether there is a tile to store, of which what its rows share is noted."""
    at = store.nest
    if not store.active:
        accepted = jobs.accept(queue, store.job, store.at.job_ready)
        if accepted == NEVER:
            return False
        nest.load(at, jobs.descriptor(queue, store.job), setup.rows, setup.columns)
        at.k_size = 1
        store.job += 1
        store.at.next = accepted + 1
        store.active = True
    if store.count.tile == done.count.finished:
        return False
    descriptor = jobs.descriptor(queue, store.job - 1)
    columns = nest.n_columns(at)
    row_begin = at.n * descriptor.result_bytes >> setup.bus_log2 << setup.bus_log2
    matrix = descriptor.d_address + at.batch * descriptor.d_batch_stride
    store.rows = nest.m_rows(at)
    store.groups = ceil_div(columns, setup.epilogue_lanes)
    store.row_address = matrix + at.m * descriptor.d_stride + row_begin
    store.row_stride = descriptor.d_stride
    store.row_beats = units(columns * descriptor.result_bytes, setup.bus_log2)
    store.at.next = max(store.at.next, done.at.stored_from[store.count.tile & tiles.RING - 1])
    return True


@inlined
def _enter(setup, done, store):
    """The next group of the row enters the lanes."""
    _pack_known(setup, store)
    places = setup.epilogue_places
    if store.count.entries - store.count.packed_entries >= places:
        return False
    place = ALWAYS
    if store.count.entries >= places:
        place = store.at.popped[(store.count.entries - places) & RING - 1] + 1
    store.at.entered_last = max(store.at.entered_last + 1, place)
    store.group += 1
    row_end = store.group == store.groups
    entry = store.count.entries & RING - 1
    store.at.entered[entry] = store.at.entered_last
    store.row_end[entry] = row_end
    store.count.entries += 1
    if row_end:
        store.entering = False
        if store.row == 0:
            tiles.release(done, store.at.entered_last)
    return True


@inlined
def _pack_known(setup, store):
    """Note when the packer takes the groups that have entered, as far as that is known."""
    while store.count.packed_entries < store.count.entries:
        entry = store.count.packed_entries & RING - 1
        cycle = max(store.at.entered[entry] + setup.lanes + setup.queue, store.at.popped_last + 1)
        if store.row_end[entry]:
            if store.count.packed > store.count.sent:
                return
            cycle = max(cycle, store.at.sent_last)
            store.at.packed[store.count.packed & RING - 1] = cycle
            store.count.packed += 1
        store.at.popped[entry] = store.at.popped_last = cycle
        store.count.packed_entries += 1
