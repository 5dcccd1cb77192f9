import collections
import functools
import itertools
import random

import pytest
from hw.streams import simulate
from systolith_hw.config import LANE_CYCLES
from systolith_hw.requantize import MULTIPLIER_BITS, SHIFT_BITS, Requantizer
from systolith_hw.serial_requantizer import SerialRequantizer

INT32 = (-(1 << 31), (1 << 31) - 1)
EDGES = [INT32[0], INT32[0] + 1, -129, -128, -1, 0, 1, 127, 128, INT32[1] - 1, INT32[1]]


def expected(case):
    """Exact integers, as the contract words it."""
    value = case["accumulator"] + case["bias"]
    low, high = INT32
    if case["int8"]:
        value *= case["multiplier"]
        if case["shift"]:
            value += 1 << (case["shift"] - 1)
        value //= 1 << case["shift"]
        low, high = -128, 127
    value = min(max(value, low), high)
    return max(value, 0) if case["relu"] else value


def encoded(case):
    """The result as it leaves the lane."""
    value = expected(case)
    return value % (1 << 8) * 0x01010101 if case["int8"] else value % (1 << 32)


def case(accumulator, bias, multiplier, shift, int8, relu):
    return dict(zip(("accumulator", "bias", "multiplier", "shift", "int8", "relu"),
                    (accumulator, bias, multiplier, shift, int8, relu), strict=True))  # fmt: skip


def run_pipeline(cases, *, idle, seed):
    """Send cases through the pipeline, with random gaps that hold garbage, and compare every result."""
    dut = Requantizer()
    rng = random.Random(seed)
    due = collections.deque([None] * Requantizer.LATENCY)

    async def bench(ctx):
        waiting = collections.deque(cases)
        while waiting or any(due):
            valid = bool(waiting) and rng.random() >= idle
            inputs = waiting.popleft() if valid else case(*(rng.getrandbits(16) for _ in range(6)))
            ctx.set(dut.valid, valid)
            for name in ("accumulator", "int8", "relu"):
                ctx.set(getattr(dut, name), inputs[name])
            for name in ("bias", "multiplier", "shift"):
                ctx.set(dut.parameters[name], inputs[name])
            _, _, result = await ctx.tick().sample(dut.result)
            oldest = due.popleft()
            if oldest:
                assert result % (1 << 32) == encoded(oldest), oldest
            due.append(inputs if valid else None)

    simulate(dut, bench, limit=20 * len(cases) + 1000)


def run_serial(cases, *, idle, seed, lane_cycles):
    """Likewise, one at a time; results are taken after random gaps. Slower lanes get fewer cases."""
    cases = random.Random(seed).sample(cases, len(cases) * 16 // lane_cycles)
    dut = SerialRequantizer(lane_cycles=lane_cycles)
    rng = random.Random(seed)

    async def bench(ctx):
        for inputs in cases:
            while rng.random() < idle:
                ctx.set(dut.parameters, rng.getrandbits(32))
                await ctx.tick()
            operands = {name: inputs[name] for name in ("accumulator", "int8", "relu")}
            biased = inputs["bias"] != 0 or rng.randrange(2)
            ctx.set(dut.operands.payload, operands | {"biased": biased})
            ctx.set(dut.parameters, inputs["shift"] << 16 | inputs["multiplier"])
            ctx.set(dut.operands.valid, 1)
            assert ctx.get(dut.operands.ready)
            await ctx.tick()
            ctx.set(dut.operands.valid, 0)
            bias = inputs["bias"] if biased else rng.getrandbits(32)
            for _ in range(lane_cycles - 2):
                ctx.set(dut.parameters, bias if ctx.get(dut.keeps_parameters) else rng.getrandbits(32))
                assert not ctx.get(dut.operands.ready)
                assert not ctx.get(dut.result.valid)
                await ctx.tick()
            while True:
                assert ctx.get(dut.result.valid)
                assert ctx.get(dut.result.payload) % (1 << 32) == encoded(inputs), inputs
                taken = rng.random() >= idle
                ctx.set(dut.result.ready, taken)
                ctx.set(dut.parameters, rng.getrandbits(32))
                await ctx.tick()
                ctx.set(dut.result.ready, 0)
                if taken:
                    break

    simulate(dut, bench, limit=(lane_cycles + 10) * len(cases) + 1000)


@pytest.fixture(
    params=[run_pipeline, *(functools.partial(run_serial, lane_cycles=cycles) for cycles in LANE_CYCLES[1:])],
    ids=["pipeline", *(f"{cycles} cycles" for cycles in LANE_CYCLES[1:])],
)
def run(request):
    """Compare the results of cases."""
    return request.param


def test_init(run):
    assert (MULTIPLIER_BITS, SHIFT_BITS) == (16, 6)
    run([case(1, 2, 3, 1, 1, 0)], idle=0, seed=0)


def test_sim_corners_int32(run):
    pairs = itertools.product(EDGES, EDGES, (0, 1))
    run([case(acc, bias, 65535, 63, 0, relu) for acc, bias, relu in pairs], idle=0, seed=1)


def test_sim_corners_int8(run):
    """The largest products, with every shift."""
    corners = itertools.product((INT32[0], -1, 1, INT32[1]), (INT32[0], 0, INT32[1]), (1, 65535), range(64))
    run([case(*corner, 1, 0) for corner in corners], idle=0, seed=2)


def test_sim_rounding(run):
    """Halves, and what lies beside them: a half is rounded up, also below zero."""
    cases = []
    for shift in range(64):
        half = (1 << shift) >> 1
        for value in {half - 1, half, half + 1, 3 * half, 3 * half - 1, 255 * half, 255 * half - 1}:
            multiplier = 1
            while value >> 31 and multiplier < 1 << 15:
                value, multiplier = value >> 1, multiplier << 1
            value = min(value, INT32[1])
            cases += [
                case(sign * value, 0, multiplier, shift, 1, relu) for sign in (1, -1) for relu in (0, 1)
            ]
    run(cases, idle=0, seed=3)


@pytest.mark.parametrize("idle", [0, 0.5])
def test_sim_random(run, idle):
    rng = random.Random(4)

    def number(bits):
        return rng.randint(-(1 << bits - 1), (1 << bits - 1) - 1)

    cases = [
        case(
            rng.choice([rng.choice(EDGES), number(32), number(16)]),
            rng.choice([0, rng.choice(EDGES), number(32), number(12)]),
            rng.choice([0, 1, 65535, rng.randrange(65536)]),
            rng.choice([0, 1, 63, rng.randrange(64), rng.randrange(24)]),
            rng.randrange(2),
            rng.randrange(2),
        )
        for _ in range(1200)
    ]
    run(cases, idle=idle, seed=5)
