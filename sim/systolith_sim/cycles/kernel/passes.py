"""The pass sequencer."""

from . import buffer as buffers
from . import jobs, nest, tiles, weights
from .base import ALWAYS, NEVER, fields, jit
from .nest import NEST

PASSES = fields(
    "active row rows first_use last_use line_end group",
    count=fields("tile"),
    at=fields("job_ready next recovered"),
    nest=NEST,
)
"""Where the sequencer is: the row of the pass; constants; tiles begun; when: the next job may be accepted,
the next row be issued, the rows issued last have left the accumulators."""


@jit
def set_up(setup, passes):
    """Begin before the first job."""
    passes.at.recovered = ALWAYS
    passes.line_end = (1 << setup.line_log2) - setup.rows
    passes.group = setup.burst_lines << setup.line_log2


@jit
def settle(setup, queue, done, buffer, feeder, passes):
    """Issue what can be issued; whether anything was."""
    moved = False
    while _step(setup, queue, done, buffer, feeder, passes):
        moved = True
    return moved


@jit
def _step(setup, queue, done, buffer, feeder, passes):
    if not passes.active:
        accepted = jobs.accept(queue, queue.begun, passes.at.job_ready)
        if accepted == NEVER:
            return False
        nest.load(passes.nest, jobs.descriptor(queue, queue.begun), setup.rows, setup.columns)
        queue.ring[queue.begun % jobs.RING].begin = accepted
        queue.begun += 1
        passes.at.next = accepted + 1
        passes.active = True
    job = queue.ring[(queue.begun - 1) % jobs.RING]
    if passes.row == 0:
        return _begin_pass(setup, job, done, buffer, feeder, passes)
    return _later_row(setup, job, done, buffer, passes)


@jit
def _begin_pass(setup, job, done, buffer, feeder, passes):
    at = passes.nest
    ready = weights.ready(feeder)
    place = tiles.place(done, passes.count.tile) if at.k == 0 else ALWAYS
    passes.first_use = at.n == 0 and at.k & (passes.group - 1) == 0
    arrival = buffers.ready(buffer, 1) if passes.first_use else ALWAYS
    if NEVER in (ready, place, arrival):
        return False
    now = passes.at.next
    for_place = max(now, place)
    for_weights = max(for_place, ready)
    for_row = max(for_weights, arrival)
    issued = max(for_row, passes.at.recovered)
    job.wait_b += for_weights - for_place
    job.wait_a += for_row - for_weights
    job.wait_output += for_place - now + issued - for_row
    weights.swap(feeder, issued)
    passes.rows = nest.m_rows(at)
    passes.last_use = nest.last_k(at) or at.k & passes.line_end == passes.line_end
    passes.count.tile += at.k == 0
    _issue(setup, job, done, buffer, passes, issued, 1 if passes.first_use else passes.rows)
    return True


@jit
def _later_row(setup, job, done, buffer, passes):
    arrival = buffers.ready(buffer, 1)
    if arrival == NEVER:
        return False
    now = max(passes.at.next, arrival)
    job.wait_a += now - passes.at.next
    _issue(setup, job, done, buffer, passes, now, 1)
    return True


@jit
def _issue(setup, job, done, buffer, passes, cycle, rows):
    """Rows enter the array, one a cycle."""
    at = passes.nest
    if passes.first_use:
        buffers.take(buffer, rows)
    if passes.last_use and nest.last_n(at):
        buffers.release(buffer, cycle, rows)
    job.compute += rows
    passes.at.next = cycle + rows
    passes.row += rows
    if passes.row < passes.rows:
        return
    passes.row = 0
    if passes.rows < setup.hazard:
        passes.at.recovered = passes.at.next + setup.hazard - passes.rows
    if nest.last_k(at):
        tiles.finish(done, passes.at.next - 1 + setup.issue_to_store)
    passes.active = not nest.last(at)
    passes.at.job_ready = passes.at.next - 1
    nest.advance(at)
