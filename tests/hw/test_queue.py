import random

import pytest
from amaranth.hdl import unsigned
from amaranth.lib import data
from hw.streams import STALLS, pipe, simulate
from systolith_hw.queue import Queue


@pytest.mark.parametrize("depth", [1, 2, 4, 16])
@pytest.mark.parametrize(("idle", "stall"), STALLS)
def test_sim_order(depth, idle, stall):
    rng = random.Random(depth)
    layout = data.StructLayout({"a": unsigned(5), "b": unsigned(16)})
    payloads = [{"a": rng.randrange(32), "b": rng.randrange(65536)} for _ in range(60)]
    dut = Queue(layout, depth=depth)
    assert pipe(dut, dut.i, dut.o, payloads, 60, seed=depth, idle=idle, stall=stall) == payloads


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_sim_capacity(depth):
    """It takes ``depth`` payloads without one being taken, and no more."""
    dut = Queue(unsigned(8), depth=depth)
    accepted = 0

    async def bench(ctx):
        nonlocal accepted
        ctx.set(dut.i.valid, 1)
        for _ in range(3 * depth + 6):
            _, _, ready = await ctx.tick().sample(dut.i.ready)
            accepted += ready

    simulate(dut, bench)
    assert accepted == depth
