"""From finished tiles to beats: store sequencer, epilogue and row packer."""

import numpy as np

from . import jobs, nest, tiles
from .base import ALWAYS, NEVER, ceil_div, fields, jit, units
from .nest import NEST

RING = 64
"""Rows, and groups of a row, that are remembered; more than can be under way."""

_RINGS = "accepted_at granted_at packed_at address beats end entered_at popped_at row_end"

STORE = fields(
    "job active entering tile_end row group groups tile "
    "accepted granted packed sent entries packed_entries "
    "job_ready next entered_last granted_last popped_last sent_last",
    nest=NEST,
    **dict.fromkeys(_RINGS.split(), (np.int64, RING)),
)
"""Where the store is: jobs accepted, the row of the tile, the group of the row; rows accepted, granted by
the write DMA, packed and sent; groups that entered the lanes and that the packer took; times: the next job
may be accepted, the next row, and the latest of each; of every row, when it came how far and what is
written; of every group, when it came how far and whether it is its row's last."""


@jit
def set_up(store):
    """Begin before the first job."""
    store.entered_last = store.granted_last = store.popped_last = store.sent_last = ALWAYS


@jit
def offered(setup, store):
    """When the write DMA may take the next row."""
    if store.granted == store.accepted:
        return NEVER
    return max(store.accepted_at[store.granted % RING] + setup.queue, store.granted_last + 1)


@jit
def grant(setup, store, cycle):
    """The write DMA takes a row; when its first beat is there at the earliest."""
    _pack_known(setup, store)
    row = store.granted % RING
    store.granted_at[row] = store.granted_last = cycle
    store.granted += 1
    return store.packed_at[row] + 1


@jit
def sent(store, cycle):
    """The last beat of the row granted last is sent in this cycle."""
    store.sent_last = cycle
    store.sent += 1


@jit
def settle(setup, queue, done, store):
    """Store what can be stored; whether anything was."""
    moved = False
    while _enter(setup, done, store) if store.entering else _accept(setup, queue, done, store):
        moved = True
    return moved


@jit
def _writable(setup, store):
    """When the queue of row writes has room for the next row."""
    inner = setup.write_queue - 1
    if store.accepted < inner:
        return ALWAYS
    moved = store.accepted - inner
    in_memory = store.accepted_at[moved % RING] + setup.queue
    if moved == 0:
        return in_memory
    if moved > store.granted:
        return NEVER
    return max(in_memory, store.granted_at[(moved - 1) % RING] + 1)


@jit
def _accept(setup, queue, done, store):
    """The next row leaves the accumulators."""
    at = store.nest
    if not store.active:
        accepted = jobs.accept(queue, store.job, store.job_ready)
        if accepted == NEVER:
            return False
        nest.load(at, jobs.descriptor(queue, store.job), 1, setup.columns)
        at.k_size = 1
        store.job += 1
        store.next = accepted + 1
        store.active = True
    if store.tile == done.finished:
        return False
    room = _writable(setup, store)
    if room == NEVER:
        return False
    cycle = max(store.next, done.stored_from[store.tile % tiles.RING], store.entered_last, room)
    descriptor = jobs.descriptor(queue, store.job - 1)
    columns = nest.n_columns(at)
    last_row = store.row == nest.m_rows(at) - 1
    matrix = descriptor.d_address + at.batch * descriptor.d_batch_stride
    row_begin = at.n * descriptor.result_bytes >> setup.bus_log2 << setup.bus_log2
    row = store.accepted % RING
    store.accepted_at[row] = cycle
    store.address[row] = matrix + (at.m + store.row) * descriptor.d_stride + row_begin
    store.beats[row] = units(columns * descriptor.result_bytes, setup.bus_log2)
    store.end[row] = last_row and nest.last(at)
    store.accepted += 1
    store.next = cycle + 1
    store.entered_last = cycle
    store.entering = True
    store.group = 0
    store.groups = ceil_div(columns, setup.epilogue_lanes)
    store.tile_end = last_row
    store.row += 1
    if last_row:
        store.row = 0
        store.tile += 1
        store.active = not nest.last(at)
        store.job_ready = cycle
        nest.advance(at)
    return True


@jit
def _enter(setup, done, store):
    """The next group of the row enters the lanes."""
    _pack_known(setup, store)
    places = setup.epilogue_places
    if store.entries - store.packed_entries >= places:
        return False
    place = ALWAYS
    if store.entries >= places:
        place = store.popped_at[(store.entries - places) % RING] + 1
    store.entered_last = max(store.entered_last + 1, place)
    store.group += 1
    row_end = store.group == store.groups
    entry = store.entries % RING
    store.entered_at[entry] = store.entered_last
    store.row_end[entry] = row_end
    store.entries += 1
    if row_end:
        store.entering = False
        if store.tile_end:
            tiles.release(done, store.entered_last)
    return True


@jit
def _pack_known(setup, store):
    """Note when the packer takes the groups that have entered, as far as that is known."""
    while store.packed_entries < store.entries:
        entry = store.packed_entries % RING
        cycle = max(store.entered_at[entry] + setup.lanes + setup.queue, store.popped_last + 1)
        if store.row_end[entry]:
            if store.packed > store.sent:
                return
            cycle = max(cycle, store.sent_last)
            store.packed_at[store.packed % RING] = cycle
            store.packed += 1
        store.popped_at[entry] = store.popped_last = cycle
        store.packed_entries += 1
