import random

import pytest
from amaranth.hdl import unsigned
from hw.streams import STALLS, pipe, simulate
from systolith_hw.stream_slice import StreamSlice


@pytest.mark.parametrize(("idle", "stall"), STALLS)
def test_sim_order(idle, stall):
    rng = random.Random(1)
    payloads = [rng.randrange(65536) for _ in range(80)]
    dut = StreamSlice(unsigned(16))
    assert pipe(dut, dut.i, dut.o, payloads, 80, seed=1, idle=idle, stall=stall) == payloads


def test_sim_full_speed():
    """A payload a cycle, each ``LATENCY`` cycles behind; two are taken while none leaves."""
    dut = StreamSlice(unsigned(8))
    seen = []

    async def bench(ctx):
        ctx.set(dut.i.valid, 1)
        ctx.set(dut.o.ready, 1)
        for number in range(20):
            ctx.set(dut.i.payload, number)
            sampled = await ctx.tick().sample(dut.i.ready, dut.o.valid, dut.o.payload)
            seen.append(sampled[2:])
        ctx.set(dut.o.ready, 0)
        taken = 0
        for _ in range(5):
            taken += (await ctx.tick().sample(dut.i.ready))[-1]
        # One is on its way already.
        assert taken == 1

    simulate(dut, bench)
    ready, valid, payload = zip(*seen, strict=True)
    latency = StreamSlice.LATENCY
    assert all(ready)
    assert valid == (0,) * latency + (1,) * (20 - latency)
    assert payload[latency:] == tuple(range(20 - latency))
