"""Tiles that pass like others before them are not computed one by one.

Along N, the accelerator soon does the same again and again. When its state at the begin of a tile is that at
the begin of an earlier one, but for the time, everything until the last tiles repeats what happened between
the two.
"""

from . import fetch as fetches
from . import jobs, snapshot
from .base import NEVER, ceil_div, jit, units
from .state import TIMES, postpone


@jit
def set_up(snapshots):
    """Begin before the first sweep."""
    snapshots.job = snapshots.tile = snapshots.storing = -1


@jit
def skip(setup, state, words, a, b, snapshots, low):
    """Skip what can be at the begin of a tile, if nothing more happens before ``low``; whether any was."""
    if snapshots.tile == state.passes.count.tile:
        return False
    snapshots.tile = state.passes.count.tile
    if not _in_one_sweep(state):
        return False
    nest, descriptor = state.passes.nest, jobs.descriptor(state.jobs, state.jobs.begun - 1)
    if (snapshots.job, snapshots.batch, snapshots.m) != (state.jobs.begun, nest.batch, nest.m):
        snapshots.job, snapshots.batch, snapshots.m = state.jobs.begun, nest.batch, nest.m
        snapshots.taken = 0
        snapshots.period = _boundary_period(setup, descriptor)
    left = _tiles_left(setup, state, descriptor)
    if left < snapshots.period or not snapshot.take(setup, state, words, a, b, snapshots, low):
        return False
    latest = snapshots.taken - 1
    for earlier in range(latest - 1, max(-1, latest - snapshot.SLOTS), -1):
        one, other = earlier % snapshot.SLOTS, latest % snapshot.SLOTS
        tiles = (snapshots.n[other] - snapshots.n[one]) // setup.columns
        if tiles % snapshots.period == 0 and snapshot.equal(snapshots, one, other):
            cycles = snapshots.references[other] - snapshots.references[one]
            times = min(left // tiles, _times_before_fetch(setup, state, cycles))
            _repeat(state, words, a, b, snapshots, one, times)
            snapshots.taken = 0
            return times > 0
    return False


@jit
def _in_one_sweep(state):
    """Whether all units work on the tiles of one block of A, not on its first, and all before has ended."""
    job, passes, loader = state.jobs.begun, state.passes, state.b_loader
    if not passes.active or passes.nest.n == 0 or state.jobs.ended != job - 1:
        return False
    for unit in (loader.walk.nest, state.weights.nest, state.store.nest):
        if unit.batch != passes.nest.batch or unit.m != passes.nest.m:
            return False
    return (
        (loader.job == job and loader.active != 0)
        and (state.weights.job == job and state.weights.active != 0)
        and (state.store.job == job and state.store.active != 0)
        and not state.completion.writing
    )


@jit
def _boundary_period(setup, descriptor):
    """After how many tiles bursts meet the boundaries that they must not cross as before; a power of two."""
    d = descriptor
    bus = 1 << setup.bus_log2
    if d.by_column:
        burst = min(setup.burst_lines << setup.line_log2, _power(units(d.k, setup.bus_log2)) * bus)
        step = setup.columns * d.b_stride
    else:
        burst = max(bus, setup.columns)
        step = setup.columns
    period = _period(setup, d.b_address | d.b_stride | d.b_batch_stride, burst, step)
    step = setup.columns * d.result_bytes
    burst = max(bus, step)
    period = max(period, _period(setup, d.d_address | d.d_stride | d.d_batch_stride, burst, step))
    if d.parameters:
        burst = setup.parameter_lines << setup.line_log2
        step = setup.columns * setup.parameter_bytes
        period = max(period, _period(setup, d.parameter_address, burst, step))
    return period


@jit
def _period(setup, base, burst, step):
    """Of bursts of so many bytes, a power of two, at ``base`` and ``step`` bytes farther on for each tile."""
    if base & (burst - 1) == 0 or step == 0:
        return 1
    return setup.boundary_bytes // min(setup.boundary_bytes, step & -step)


@jit
def _power(value):
    """The next power of two."""
    power = 1
    while power < value:
        power *= 2
    return power


@jit
def _tiles_left(setup, state, descriptor):
    """How many tiles the B loader has to go through until it meets the last, which are fetched otherwise."""
    tiles = ceil_div(descriptor.n, setup.columns)
    parameters = (setup.parameter_lines << setup.line_log2) // (setup.columns * setup.parameter_bytes)
    return tiles - 2 - parameters - state.b_loader.walk.nest.n // setup.columns


@jit
def _times_before_fetch(setup, state, cycles):
    """How often so many cycles may pass before a descriptor is fetched."""
    valid = fetches.valid(setup, state.fetch)
    return NEVER if valid == NEVER else max(0, valid - state.reads.splitter.at.ready) // cycles


@jit
def _repeat(state, words, a, b, snapshots, since, times):
    """Let what has happened since a snapshot happen as often again."""
    cycles = times * (state.passes.at.next - snapshots.references[since])
    columns = times * (state.passes.nest.n - snapshots.n[since])
    postpone(words, TIMES, cycles)
    for channel in (state.reads.channel, state.writes.channel):
        channel.free_ticks += channel.numerator * cycles
    for buffer in (a.buffer, b.buffer):
        lines, count = buffer.state.lines, buffer.state.count
        for row in range(count.taken, count.arrived):
            buffer.rings.arrivals[row & (lines - 1)] += cycles
        for run in range(count.head, count.segments):
            buffer.rings.starts[run & (2 * lines - 1)] += cycles
    for nest in (state.b_loader.walk.nest, state.weights.nest, state.passes.nest, state.store.nest):
        nest.n += columns
    # Requests on their way keep their addresses: farther on, they would meet the boundaries alike.
    job = state.jobs.ring[state.jobs.begun - 1 & jobs.RING - 1]
    job.compute += times * (job.compute - snapshots.compute[since])
    job.wait_a += times * (job.wait_a - snapshots.wait_a[since])
    job.wait_b += times * (job.wait_b - snapshots.wait_b[since])
    job.wait_output += times * (job.wait_output - snapshots.wait_output[since])
