import random

import pytest
from hw.streams import accept, simulate, small_config
from systolith_hw.counters import CycleCounters
from systolith_hw.pass_sequencer import Activity

WORKING = [Activity.COMPUTE, Activity.WAIT_A, Activity.WAIT_B, Activity.WAIT_OUTPUT]
NAMES = {
    Activity.COMPUTE: "compute",
    Activity.WAIT_A: "wait_a",
    Activity.WAIT_B: "wait_b",
    Activity.WAIT_OUTPUT: "wait_output",
}


def random_history(rng, descriptors):
    """Cycles as (busy, activity, begin, close), from doorbell to the end of the last descriptor.

    A descriptor begins when the one before has left the array. If that one has not completed yet, it has
    handed its charge on and is not closed any more.
    """
    history = []
    number = 0
    while number < descriptors:
        history += [(0, Activity.IDLE, 0, 0)] * rng.randint(0, 3)
        history += [(1, Activity.IDLE, 0, 0)] * rng.randint(0, 5)
        history.append((1, Activity.IDLE, 1, 0))
        group = rng.randint(1, min(4, descriptors - number))
        for position in range(group):
            work = [(1, rng.choice(WORKING), 0, 0) for _ in range(rng.randint(1, 12))]
            if position < group - 1:
                # The next begins in the last cycle of work, or after a while of draining.
                work += [(1, Activity.IDLE, 0, 0)] * rng.choice([0, 0, 3])
                busy, activity, _, _ = work.pop()
                work.append((busy, activity, 1, 0))
            else:
                work += [(1, Activity.IDLE, 0, 0)] * rng.randint(0, 4)
                work.append((1, Activity.IDLE, 0, 1))
            history += work
        number += group
        # The next may have been submitted already, and even begin with the end of this one.
        if rng.random() < 0.3 and number < descriptors:
            busy, activity, _, close = history.pop()
            history.append((busy, activity, 1, close))
            work = [(1, rng.choice(WORKING), 0, 0) for _ in range(rng.randint(1, 5))]
            history += [*work, (1, Activity.IDLE, 0, 1)]
            number += 1
    return history


def charge(history):
    """Every busy cycle once: to the descriptor in charge, else to the next one that begins.

    Returns the results, and the cycles in which they are finished.
    """
    names = ["total", "compute", "wait_a", "wait_b", "wait_output", "fill", "drain"]
    results, finished = [], set()
    current, charged = dict.fromkeys(names, 0), False
    for cycle, (busy, activity, begin, close) in enumerate(history):
        if busy:
            current["total"] += 1
            current[NAMES.get(activity, "drain" if charged else "fill")] += 1
        if (begin or close) and charged:
            results.append(current)
            finished.add(cycle)
            current = dict.fromkeys(names, 0)
        if begin or close:
            charged = bool(begin)
        if not busy and not charged:
            current = dict.fromkeys(names, 0)
    return results, finished


@pytest.mark.parametrize("stall", [0, 0.3])
def test_sim_random(stall):
    config = small_config(descriptor_slots=8)
    rng = random.Random(9)
    history = random_history(rng, 60)
    expected, finished = charge(history)
    assert sum(result["total"] for result in expected) == sum(busy for busy, *_ in history)
    dut = CycleCounters(config)
    untaken = 0

    async def run(ctx):
        nonlocal untaken
        for cycle, (busy, activity, begin, close) in enumerate(history):
            ctx.set(dut.busy, busy)
            ctx.set(dut.activity, activity)
            ctx.set(dut.begin, begin)
            ctx.set(dut.close, close)
            _, _, pending = await ctx.tick().sample(dut.pending)
            assert pending == (untaken > 0)
            untaken += cycle in finished

    async def take(ctx):
        nonlocal untaken
        sink = random.Random(2)
        for number, result in enumerate(expected):
            got = await accept(ctx, dut.results, rng=sink, stall=stall)
            assert got == result, number
            assert got["total"] == sum(value for name, value in got.items() if name != "total")
            untaken -= 1

    simulate(dut, run, take)


def test_sim_nothing_run():
    """Cycles in which only descriptors were submitted that are not run belong to none."""
    dut = CycleCounters(small_config())
    cycles = [(1, Activity.IDLE, 0, 0)] * 5 + [(0, Activity.IDLE, 0, 0)]
    cycles += [(1, Activity.IDLE, 1, 0), (1, Activity.COMPUTE, 0, 0), (1, Activity.IDLE, 0, 1)]

    async def bench(ctx):
        for busy, activity, begin, close in cycles:
            ctx.set(dut.busy, busy)
            ctx.set(dut.activity, activity)
            ctx.set(dut.begin, begin)
            ctx.set(dut.close, close)
            await ctx.tick()
        ctx.set(dut.close, 0)
        got = await accept(ctx, dut.results, rng=random.Random(0), stall=0)
        assert (got["total"], got["fill"], got["compute"], got["drain"]) == (3, 1, 1, 1)

    simulate(dut, bench)
