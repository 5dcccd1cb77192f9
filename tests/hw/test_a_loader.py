import random

import pytest
from hw.reference import Credits, a_panels, random_gemm, row_requests
from hw.streams import STALLS, accept, drive, simulate, small_config
from systolith_hw.a_loader import ALoader
from systolith_hw.messages import Target

CONFIGS = {
    "narrow bus": {"rows": 8, "columns": 4, "axi_data_bits": 32, "burst_bytes": 16, "a_buffer_lines": 16},
    "square": {"rows": 4, "columns": 4, "a_buffer_lines": 16},
    "wide bus": {"rows": 2, "columns": 4, "axi_data_bits": 128, "burst_bytes": 64, "a_buffer_lines": 32},
}


def check(config, gemms, *, idle, stall, seed):
    """Run GEMMs through the loader and compare each row request and its order."""
    dut = ALoader(config)
    blocks, panels = 0, []
    for gemm in gemms:
        panels += a_panels(gemm, config, blocks)
        blocks += len(list(gemm.blocks()))
    depth = config.a_buffer_lines
    expected = list(row_requests(panels, config, target=Target.A_BUFFER.value, depth=depth))
    jobs = [gemm.job(dut.jobs.payload.shape()) for gemm in gemms]
    credits = Credits(dut, depth, seed=seed)

    async def feed(ctx):
        await drive(ctx, dut.jobs, jobs, rng=random.Random(seed), idle=idle)

    async def take(ctx):
        rng = random.Random(seed + 1)
        for request, order in expected:
            sample = tuple(getattr(dut.order, name) for name in order)
            got, *got_order, busy = await accept(
                ctx, dut.requests, rng=rng, stall=stall, sample=(*sample, dut.busy)
            )
            assert got == request
            assert dict(zip(order, got_order, strict=True)) == order
            assert busy
        for _ in range(4):
            await ctx.tick()
            assert not ctx.get(dut.requests.valid)
        assert not ctx.get(dut.busy)

    simulate(dut, feed, take, background=[credits.run])
    assert credits.reserved == sum(len(p.addresses) * p.lines(config) for p in panels)


@pytest.mark.parametrize(("idle", "stall"), STALLS)
@pytest.mark.parametrize("name", CONFIGS)
def test_sim_random(name, idle, stall):
    config = small_config(**CONFIGS[name])
    rng = random.Random(name)
    check(config, [random_gemm(rng, config) for _ in range(8)], idle=idle, stall=stall, seed=4)
