import random

import pytest
from hw.streams import simulate, small_config
from systolith_hw.counters import CAUSES, CycleCounters
from systolith_hw.pass_sequencer import Activity

WORKING = [Activity.COMPUTE, Activity.WAIT_A, Activity.WAIT_B, Activity.WAIT_OUTPUT]
NAMES = {
    Activity.COMPUTE: "compute",
    Activity.WAIT_A: "wait_a",
    Activity.WAIT_B: "wait_b",
    Activity.WAIT_OUTPUT: "wait_output",
}

RECORD_CYCLES = 30
"""A descriptor completes after the records before have been written, for which their results are taken."""


def random_history(rng, descriptors, *, ahead):
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
        group = rng.randint(1, min(ahead, descriptors - number))
        for position in range(group):
            work = [(1, rng.choice(WORKING), 0, 0) for _ in range(rng.randint(1, 12))]
            if position < group - 1:
                # The next begins in the last cycle of work, or after a while of draining.
                work += [(1, Activity.IDLE, 0, 0)] * rng.choice([0, 0, 3])
                busy, activity, _, _ = work.pop()
                work.append((busy, activity, 1, 0))
            else:
                work += [(1, Activity.IDLE, 0, 0)] * rng.randint(RECORD_CYCLES, RECORD_CYCLES + 4)
                work.append((1, Activity.IDLE, 0, 1))
            history += work
        number += group
        # The next may have been submitted already, and even begin with the end of this one.
        if rng.random() < 0.3 and number < descriptors:
            busy, activity, _, close = history.pop()
            history.append((busy, activity, 1, close))
            work = [(1, rng.choice(WORKING), 0, 0) for _ in range(rng.randint(1, 5))]
            history += [*work, *[(1, Activity.IDLE, 0, 0)] * RECORD_CYCLES, (1, Activity.IDLE, 0, 1)]
            number += 1
    return history


def charge(history):
    """Every busy cycle once: to the descriptor in charge, else to the next one that begins."""
    names = ["compute", "wait_a", "wait_b", "wait_output", "fill", "drain"]
    results = []
    current, charged = dict.fromkeys(names, 0), False
    for busy, activity, begin, close in history:
        if busy:
            current[NAMES.get(activity, "drain" if charged else "fill")] += 1
        if (begin or close) and charged:
            results.append(current)
            current = dict.fromkeys(names, 0)
        if begin or close:
            charged = bool(begin)
        if not busy and not charged:
            current = dict.fromkeys(names, 0)
    return results


def beats(dut):
    """Of a completion record, those with counters."""
    return sorted({word // len(dut.results.words) for word in CAUSES.values()}, reverse=True)


async def feed(ctx, dut, history):
    for busy, activity, begin, close in history:
        ctx.set(dut.busy, busy)
        ctx.set(dut.activity, activity)
        ctx.set(dut.begin, begin)
        ctx.set(dut.close, close)
        await ctx.tick()


async def take(ctx, dut, pause=None):
    """The counters of the result that is there, a beat after each pause of a cycle or more; release it."""

    async def tick():
        await ctx.tick()

    pause = pause or tick
    found = {}
    words = len(dut.results.words)
    assert ctx.get(dut.results.valid)
    await pause()
    for beat in beats(dut):
        ctx.set(dut.results.beat, beat)
        ctx.set(dut.results.show, 1)
        await pause()
        found |= {beat * words + number: ctx.get(word) for number, word in enumerate(dut.results.words)}
    ctx.set(dut.results.show, 0)
    ctx.set(dut.results.release, 1)
    await ctx.tick()
    ctx.set(dut.results.release, 0)
    assert not any(ctx.get(word) for word in dut.results.words)
    assert not any(value for word, value in found.items() if word not in CAUSES.values())
    return {name: found[word] for name, word in CAUSES.items()}


@pytest.mark.parametrize("stall", [0, 0.3])
@pytest.mark.parametrize("bits", [32, 64, 512])
@pytest.mark.parametrize("slots", [1, 2, 8])
def test_sim_random(slots, bits, stall):
    config = small_config(descriptor_slots=slots, axi_data_bits=bits)
    rng = random.Random(9)
    history = random_history(rng, 60, ahead=min(4, slots))
    expected = charge(history)
    assert sum(sum(result.values()) for result in expected) == sum(busy for busy, *_ in history)
    dut = CycleCounters(config)

    async def run(ctx):
        await feed(ctx, dut, history)

    async def read(ctx):
        sink = random.Random(2)
        for number, result in enumerate(expected):
            while not ctx.get(dut.results.valid) or sink.random() < stall:
                await ctx.tick()
            assert await take(ctx, dut) == result, number

    simulate(dut, run, read)


def test_sim_nothing_run():
    """Cycles in which only descriptors were submitted that are not run belong to none."""
    dut = CycleCounters(small_config())
    cycles = [(1, Activity.IDLE, 0, 0)] * 5 + [(0, Activity.IDLE, 0, 0)]
    cycles += [(1, Activity.IDLE, 1, 0), (1, Activity.COMPUTE, 0, 0), (1, Activity.IDLE, 0, 1)]
    cycles += [(0, Activity.IDLE, 0, 0)] * CycleCounters.LATENCY

    async def bench(ctx):
        await feed(ctx, dut, cycles)
        got = await take(ctx, dut)
        assert {name: value for name, value in got.items() if value} == {
            "fill": 1, "compute": 1, "drain": 1,
        }  # fmt: skip

    simulate(dut, bench)


def test_sim_close_while_result_waits():
    """What completes has handed its charge on: the next one keeps it."""
    dut = CycleCounters(small_config())
    begin, work, done = (1, Activity.IDLE, 1, 0), (1, Activity.COMPUTE, 0, 0), (1, Activity.IDLE, 0, 1)
    closing, idle = (1, Activity.COMPUTE, 0, 1), (0, Activity.IDLE, 0, 0)
    read_cycles = 1 + len(beats(dut))

    async def bench(ctx):
        async def check(compute, drain, *, cycle):
            async def pause():
                await feed(ctx, dut, [cycle])

            got = await take(ctx, dut, pause)
            assert (got["compute"], got["drain"]) == (compute, drain)

        await feed(ctx, dut, [begin, work, begin, closing, closing, closing])
        await check(1, 1, cycle=work)
        await feed(ctx, dut, [work, work, done, *[idle] * CycleCounters.LATENCY])
        # While the first was read, and in the cycle of its release, the second one went on.
        await check(6 + read_cycles, 1, cycle=idle)

    simulate(dut, bench)
