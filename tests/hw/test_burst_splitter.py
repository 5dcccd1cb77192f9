import random

import pytest
from hw.streams import STALLS, accept, drive, simulate
from systolith_hw.burst_splitter import BurstSplitter

BOUNDARY = 4096


def random_transfers(rng, bus_bytes, max_beats, count):
    """Aligned transfers, most of them near a boundary."""
    transfers = []
    for _ in range(count):
        beats = rng.choice([1, max_beats, rng.randint(1, max_beats)])
        near = BOUNDARY - rng.randint(0, beats + 1) * bus_bytes
        page = rng.choice([0, 1, (1 << 20) - 1, rng.randrange(1 << 20)])
        address = page * BOUNDARY + rng.choice(
            [0, near % BOUNDARY, bus_bytes * rng.randrange(BOUNDARY // bus_bytes)]
        )
        transfers.append({"address": address, "beats": beats})
    return transfers


@pytest.mark.parametrize(("idle", "stall"), STALLS)
@pytest.mark.parametrize(("bus_bytes", "max_beats"), [(4, 31), (16, 255), (64, 7), (64, 63)])
def test_sim_random(bus_bytes, max_beats, idle, stall):
    """No burst crosses a boundary, none is cut elsewhere, and together they cover the transfer."""
    rng = random.Random(bus_bytes + max_beats)
    transfers = random_transfers(rng, bus_bytes, max_beats, 80)
    dut = BurstSplitter(address_bits=32, bus_bytes=bus_bytes, max_beats=max_beats)
    cuts = 0

    async def feed(ctx):
        await drive(ctx, dut.transfers, transfers, rng=random.Random(1), idle=idle)

    async def take(ctx):
        nonlocal cuts
        rng = random.Random(2)
        for transfer in transfers:
            address, left = transfer["address"], transfer["beats"]
            while left:
                burst, last = await accept(ctx, dut.bursts, rng=rng, stall=stall, sample=(dut.last,))
                size = burst["beats"] * bus_bytes
                assert burst["address"] == address % (1 << 32)
                assert 1 <= burst["beats"] <= left
                assert address // BOUNDARY == (address + size - 1) // BOUNDARY
                assert last == (burst["beats"] == left)
                assert last or (address + size) % BOUNDARY == 0
                address, left = address + size, left - burst["beats"]
                cuts += not last
        await ctx.tick()
        assert not ctx.get(dut.bursts.valid)

    simulate(dut, feed, take)
    assert cuts > 10


def test_sim_throughput():
    """A transfer in one burst takes one cycle, and one cycle passes from transfer to burst."""
    dut = BurstSplitter(address_bits=32, bus_bytes=16, max_beats=15)

    async def bench(ctx):
        ctx.set(dut.bursts.ready, 1)
        ctx.set(dut.transfers.valid, 1)
        for number in range(10):
            ctx.set(dut.transfers.payload, {"address": 256 * number, "beats": 3})
            assert ctx.get(dut.transfers.ready)
            if number:
                assert ctx.get(dut.bursts.valid)
                assert ctx.get(dut.bursts.payload.address) == 256 * (number - 1)
            await ctx.tick()

    simulate(dut, bench)
