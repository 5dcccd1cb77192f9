"""The weight feeder."""

from . import buffer as buffers
from . import jobs, nest, tiles
from .base import ALWAYS, NEVER, fields, inlined, jit
from .nest import NEST

WEIGHTS = fields(
    "job active by_column parameters_next loaded line_end group gap",
    count=fields("tile"),
    at=fields("job_ready next array_free ready"),
    nest=NEST,
)
"""Jobs accepted; what the feeder is at; constants; tiles begun; when: the next job may be accepted, the next
line be read, the array can take a tile, the one in it can be swapped in."""

KNOWN = 2
"""Cycles from a job, or from a start, until it is known whether the rows for a tile are there."""


@jit
def set_up(setup, weights):
    """Begin before the first job."""
    weights.at.array_free = ALWAYS
    weights.at.ready = NEVER
    weights.line_end = (1 << setup.line_log2) - setup.rows
    weights.group = setup.burst_lines << setup.line_log2
    weights.gap = 1 + max(0, setup.swap_to_load - 1)


@inlined
def ready(weights):
    """When the next tile can be swapped in."""
    return weights.at.ready if weights.loaded else NEVER


@inlined
def swap(weights, cycle):
    """The pass sequencer issues the first row of a pass."""
    weights.loaded = False
    weights.at.array_free = cycle + weights.gap


@jit
def settle(setup, queue, done, buffer, weights):
    """Read what can be read; whether anything was."""
    moved = False
    while _step(setup, queue, done, buffer, weights):
        moved = True
    return moved


@jit
def _step(setup, queue, done, buffer, weights):
    if not weights.active:
        accepted = jobs.accept(queue, weights.job, weights.at.job_ready)
        if accepted == NEVER:
            return False
        descriptor = jobs.descriptor(queue, weights.job)
        weights.job += 1
        weights.by_column = descriptor.by_column
        nest.load(weights.nest, descriptor, setup.rows, setup.columns)
        weights.parameters_next = descriptor.parameters
        weights.at.next = accepted + (1 if descriptor.parameters else KNOWN)
        weights.active = True
    if weights.parameters_next:
        return _read_parameters(setup, done, buffer, weights)
    return not weights.loaded and _read_tile(setup, queue, buffer, weights)


@inlined
def _read_parameters(setup, done, buffer, weights):
    start = max(weights.at.next, buffers.ready(buffer, 1), tiles.place(done, weights.count.tile))
    if start >= NEVER:
        return False
    buffers.take(buffer, 1)
    buffers.release(buffer, start, setup.parameter_lines)
    weights.at.next = start + max(setup.parameter_lines, KNOWN)
    weights.parameters_next = False
    return True


@inlined
def _read_tile(setup, queue, buffer, weights):
    at = weights.nest
    rows = nest.n_columns(at) if weights.by_column else nest.k_depth(at)
    start = max(weights.at.next, weights.at.array_free)
    if not weights.by_column or at.k & (weights.group - 1) == 0:
        start = max(start, buffers.ready(buffer, rows) + 1)
        if start >= NEVER:
            return False
        buffers.take(buffer, rows)
    last_k = nest.last_k(at)
    if not weights.by_column or last_k or at.k & weights.line_end == weights.line_end:
        buffers.release(buffer, start, rows)
    weights.at.next = start + rows
    weights.loaded = True
    lead = min(rows - 1, setup.column_lead) if weights.by_column else 0
    weights.at.ready = start + setup.load_to_ready + lead
    weights.count.tile += at.k == 0
    weights.parameters_next = jobs.descriptor(queue, weights.job - 1).parameters and last_k
    weights.active = not nest.last(at)
    weights.at.job_ready = weights.at.next
    nest.advance(at)
    return True
