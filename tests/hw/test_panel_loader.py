import itertools
import random

import pytest
from hw.reference import Credits, Fetch, row_requests
from hw.streams import STALLS, accept, drive, simulate, small_config
from systolith_hw.messages import Order, Target
from systolith_hw.panel_loader import PanelLoader

DEPTH = 32


def random_address(rng):
    return 4 * rng.randrange(1 << 30)


def random_panel(rng, config, block, stride):
    rows = rng.randint(1, 4)
    start = random_address(rng)
    return Fetch(
        addresses=[start + row * stride for row in range(rows)],
        bytes=rng.randint(1, config.burst_lines * config.line_bytes),
        line=rng.choice([0, rng.randrange(1 << Order(config)["line"].width)]),
        later_sweep=rng.randrange(2),
        block=block,
        slot=rng.randrange(config.descriptor_slots),
    ), stride


@pytest.mark.parametrize(("idle", "stall"), STALLS)
@pytest.mark.parametrize("slots", [1, 4])
def test_sim_random(slots, idle, stall):
    """Every panel has a stride of its own, but for those of the only descriptor."""
    config = small_config(burst_bytes=16, b_buffer_lines=DEPTH, descriptor_slots=slots)
    rng = random.Random(17)
    only_stride = random_address(rng)
    begins = [1, *(rng.randrange(2) for _ in range(59))]
    blocks = [number - 1 for number in itertools.accumulate(begins)]
    panels = [
        random_panel(rng, config, block, only_stride if slots == 1 else random_address(rng))
        for block in blocks
    ]
    dut = PanelLoader(config, depth=DEPTH, target=Target.B_BUFFER)
    expected = list(
        row_requests([panel for panel, _ in panels], config, target=Target.B_BUFFER.value, depth=DEPTH)
    )
    payloads = [
        {
            "address": panel.addresses[0] % (1 << 32) // config.bus_bytes,
            "stride": stride // config.bus_bytes,
            "rows": len(panel.addresses),
            "line_end": panel.lines(config) - 1,
            "beats": -(-panel.bytes // config.bus_bytes),
            "line": panel.line,
            "later_sweep": panel.later_sweep,
            "begins_block": begin,
            "slot": panel.slot,
        }
        for (panel, stride), begin in zip(panels, begins, strict=True)
    ]
    credits = Credits(dut, DEPTH, seed=3)

    async def feed(ctx):
        await drive(ctx, dut.panels, payloads, rng=random.Random(1), idle=idle)

    async def take(ctx):
        stalls = random.Random(2)
        for request, order in expected:
            sample = tuple(getattr(dut.order, name) for name in order)
            got, *got_order, idle_now = await accept(
                ctx, dut.requests, rng=stalls, stall=stall, sample=(*sample, dut.idle)
            )
            assert got == request
            assert dict(zip(order, got_order, strict=True)) == order
            assert not idle_now
        first_of_block = max(place for place, begin in enumerate(begins) if begin)
        last, stride = panels[first_of_block]
        assert ctx.get(dut.idle)
        end = (last.addresses[-1] + stride) % (1 << 32)
        assert ctx.get(dut.end_address) == end // config.bus_bytes

    simulate(dut, feed, take, background=[credits.run])
    assert credits.reserved == sum(len(p.addresses) * p.lines(config) for p, _ in panels)


def test_sim_waits_for_room():
    """A panel is begun a cycle after there is room for all of it, and not before."""
    config = small_config(b_buffer_lines=DEPTH)
    dut = PanelLoader(config, depth=DEPTH, target=Target.B_BUFFER)
    payload = {"address": 0, "stride": 1, "rows": 3, "line_end": 0, "beats": 1, "slot": 0}

    async def bench(ctx):
        ctx.set(dut.requests.ready, 1)
        ctx.set(dut.free, 2)
        ctx.set(dut.panels.payload, payload)
        ctx.set(dut.panels.valid, 1)
        await ctx.tick()
        ctx.set(dut.panels.valid, 0)
        for _ in range(5):
            _, _, reserve, valid = await ctx.tick().sample(dut.reserve, dut.requests.valid)
            assert (reserve, valid) == (0, 0)
        ctx.set(dut.free, 3)
        assert ctx.get(dut.reserve) == 0
        await ctx.tick()
        assert ctx.get(dut.reserve) == 3
        for _ in range(3):
            await ctx.tick()
            assert ctx.get(dut.requests.valid)
        await ctx.tick()
        assert not ctx.get(dut.requests.valid)
        assert ctx.get(dut.idle)

    simulate(dut, bench)
