"""From finished tiles to beats: store sequencer, epilogue and row packer."""

import numpy as np

from . import jobs, nest, tiles
from .base import ALWAYS, NEVER, ceil_div, fields, inlined, jit, units
from .nest import NEST

RING = 64
"""Rows, and groups of a row, that are remembered; more than can be under way."""

STORE = fields(
    "job active entering row group rows groups group_bytes row_address row_stride row_beats completed held",
    count=fields("tile accepted granted entries popped"),
    at=fields(
        "job_ready next row_ready row_taken entered_last granted_last popped_last sent_last",
        **dict.fromkeys(("accepted", "granted", "entered", "popped"), (np.int64, RING)),
    ),
    nest=NEST,
    **dict.fromkeys(("address", "beats", "end", "completes"), (np.int64, RING)),
)
"""Where the store is: jobs accepted, the next row of the tile and the group of the row, how many there are,
and how large; what is written of a row, how many beats of it are complete when its groups so far are
packed; complete beats in the packer; tiles begun; rows accepted and granted by the write DMA; groups that
entered the lanes and that the packer took; when: the next job may be accepted, the next row, the register
slice takes the next row, the epilogue took the last one, and the latest of each; of every row, when it
came how far and what is written; of every group, when it came how far and how many beats it completes."""


@jit
def set_up(store):
    """Begin before the first job."""
    store.at.row_ready = store.at.row_taken = ALWAYS
    store.at.entered_last = store.at.granted_last = store.at.popped_last = store.at.sent_last = ALWAYS


@inlined
def offered(setup, store):
    """When the write DMA may take the next row."""
    if store.count.granted == store.count.accepted:
        return NEVER
    return max(store.at.accepted[store.count.granted & RING - 1] + setup.queue, store.at.granted_last + 1)


@inlined
def grant(store, cycle):
    """The write DMA takes a row."""
    store.at.granted[store.count.granted & RING - 1] = store.at.granted_last = cycle
    store.count.granted += 1


@inlined
def complete(setup, done, store):
    """When the next beats of the rows granted are there at the earliest; ``held`` says how many."""
    _pack(setup, store)
    while store.held == 0:
        _enter(setup, done, store)
        _pack(setup, store)
    return store.at.popped_last + 1


@inlined
def send(store, beats, cycle):
    """So many of these beats are sent, the last in this cycle."""
    store.held -= beats
    store.at.sent_last = cycle


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
    cycle = max(store.at.next, store.at.row_ready, room)
    store.at.row_ready = max(cycle, store.at.row_taken) + 1
    store.at.row_taken = store.at.entered_last = max(cycle + 1, store.at.entered_last)
    last_row = store.row == store.rows - 1
    row = store.count.accepted & RING - 1
    store.at.accepted[row] = cycle
    store.address[row] = store.row_address
    store.beats[row] = store.row_beats
    store.end[row] = last_row and nest.last(store.nest)
    store.count.accepted += 1
    store.at.next = cycle + 1
    store.entering = True
    store.group = store.completed = 0
    store.row_address += store.row_stride
    store.row += 1
    if last_row:
        store.row = 0
        store.count.tile += 1
        store.active = not nest.last(store.nest)
        store.at.job_ready = cycle + 1
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
    store.group_bytes = setup.epilogue_lanes * descriptor.result_bytes
    store.row_address = matrix + at.m * descriptor.d_stride + row_begin
    store.row_stride = descriptor.d_stride
    store.row_beats = units(columns * descriptor.result_bytes, setup.bus_log2)
    store.at.next = max(store.at.next, done.at.stored_from[store.count.tile & tiles.RING - 1])
    return True


@inlined
def _enter(setup, done, store):
    """The next group of the row enters the lanes."""
    _pack(setup, store)
    places = setup.epilogue_places
    if store.count.entries - store.count.popped >= places:
        return False
    place = ALWAYS
    if store.count.entries >= places:
        place = store.at.popped[(store.count.entries - places) & RING - 1] + 1
    store.at.entered_last = max(store.at.entered_last + 1, place)
    store.group += 1
    row_end = store.group == store.groups
    completed = store.row_beats if row_end else store.group * store.group_bytes >> setup.bus_log2
    entry = store.count.entries & RING - 1
    store.at.entered[entry] = store.at.entered_last
    store.completes[entry] = completed - store.completed
    store.completed = completed
    store.count.entries += 1
    if row_end:
        store.entering = False
        if store.row == 0:
            tiles.release(done, store.at.entered_last)
    return True


@inlined
def _pack(setup, store):
    """Note when the packer takes groups, up to the first whose beats are not known to be sent."""
    while store.held == 0 and store.count.popped < store.count.entries:
        entry = store.count.popped & RING - 1
        cycle = max(store.at.entered[entry] + setup.epilogue, store.at.popped_last + 1)
        store.at.popped[entry] = store.at.popped_last = max(cycle, store.at.sent_last)
        store.held = store.completes[entry]
        store.count.popped += 1
