"""The pass sequencer."""

from . import buffer as buffers
from . import jobs, nest, tiles, weights
from .base import ALWAYS, NEVER, fields, inlined, jit
from .nest import NEST

PASSES = fields(
    "active row rows first_use releases line_end group",
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
        queue.ring[queue.begun & jobs.RING - 1].begin = accepted
        queue.begun += 1
        passes.at.next = accepted + 1
        passes.active = True
    job = queue.ring[(queue.begun - 1) & jobs.RING - 1]
    if passes.row == 0:
        return _begin_pass(setup, job, done, buffer, feeder, passes)
    return _later_rows(setup, job, done, buffer, passes)


@inlined
def _begin_pass(setup, job, done, buffer, feeder, passes):
    at = passes.nest
    ready = weights.ready(feeder)
    place = tiles.place(done, passes.count.tile) if at.k == 0 else ALWAYS
    passes.first_use = at.n == 0 and at.k & (passes.group - 1) == 0
    arrival = buffers.ready(buffer, 1) if passes.first_use else ALWAYS
    if max(ready, place, arrival) == NEVER:
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
    last_k = nest.last_k(at)
    passes.releases = (last_k or at.k & passes.line_end == passes.line_end) and nest.last_n(at)
    passes.count.tile += at.k == 0
    passes.at.next = issued
    if passes.first_use:
        return _later_rows(setup, job, done, buffer, passes)
    if passes.releases:
        buffers.release(buffer, issued, passes.rows)
    job.compute += passes.rows
    passes.at.next += passes.rows
    _end_pass(setup, done, passes)
    return True


@inlined
def _later_rows(setup, job, done, buffer, passes):
    """Rows that are used for the first time enter the array, each when it is there; whether any was."""
    known = min(passes.rows - passes.row, buffers.untaken(buffer))
    now = passes.at.next
    for _ in range(known):
        issued = max(now, buffers.ready(buffer, 1))
        job.wait_a += issued - now
        now = issued + 1
        buffers.take(buffer, 1)
        if passes.releases:
            buffers.release(buffer, issued, 1)
    job.compute += known
    passes.at.next = now
    passes.row += known
    if passes.row == passes.rows:
        passes.row = 0
        _end_pass(setup, done, passes)
    return known > 0


@inlined
def _end_pass(setup, done, passes):
    """The last row has entered."""
    at = passes.nest
    if passes.rows < setup.hazard:
        passes.at.recovered = passes.at.next + setup.hazard - passes.rows
    if nest.last_k(at):
        tiles.finish(done, passes.at.next - 1 + setup.issue_to_store)
    passes.active = not nest.last(at)
    passes.at.job_ready = passes.at.next - 1
    nest.advance(at)
