import random

import pytest
from hw.reference import Credits, b_panels, random_gemm, row_requests
from hw.streams import STALLS, accept, drive, simulate, small_config
from systolith_hw.b_loader import BLoader
from systolith_hw.descriptor import BLayout
from systolith_hw.messages import Target

CONFIGS = {
    "narrow bus": {"rows": 8, "columns": 4, "axi_data_bits": 32, "burst_bytes": 16},
    "square": {"rows": 4, "columns": 4},
    "wide array": {"rows": 2, "columns": 8, "axi_data_bits": 64},
    "wide bus": {"rows": 2, "columns": 4, "axi_data_bits": 512, "burst_bytes": 128},
}
SHARED_LINES = {"shared lines": {"rows": 32, "columns": 2, "axi_data_bits": 32}}
"""Lines of several beats, in which the parameters of two tiles lie."""

A_BUFFER = {"a_buffer_lines": 32}


def check(config, gemms, *, idle, stall, seed):
    """Run GEMMs through the loader and compare each row request and its order."""
    dut = BLoader(config)
    blocks, panels = 0, []
    for gemm in gemms:
        panels += b_panels(gemm, config, blocks)
        blocks += len(list(gemm.blocks()))
    depth = config.b_buffer_lines
    expected = list(row_requests(panels, config, target=Target.B_BUFFER.value, depth=depth))
    jobs = [gemm.job(dut.jobs.payload.shape()) for gemm in gemms]
    credits = Credits(dut, depth, seed=seed)

    async def feed(ctx):
        await drive(ctx, dut.jobs, jobs, rng=random.Random(seed), idle=idle)

    async def take(ctx):
        rng = random.Random(seed + 1)
        for panel_request, order in expected:
            sample = tuple(getattr(dut.order, name) for name in order)
            got, *got_order, busy = await accept(
                ctx, dut.requests, rng=rng, stall=stall, sample=(*sample, dut.busy)
            )
            assert got == panel_request
            assert dict(zip(order, got_order, strict=True)) == order
            assert busy
        for _ in range(4):
            await ctx.tick()
            assert not ctx.get(dut.requests.valid)
        assert not ctx.get(dut.busy)

    simulate(dut, feed, take, background=[credits.run], limit=40_000)


@pytest.mark.parametrize(("idle", "stall"), STALLS)
@pytest.mark.parametrize("name", CONFIGS)
def test_sim_random(name, idle, stall):
    config = small_config(**CONFIGS[name] | A_BUFFER)
    rng = random.Random(name)
    layouts = [*BLayout] * 2
    gemms = [random_gemm(rng, config, b_layout=layout, m=3, m_block=2, batch=2) for layout in layouts]
    check(config, gemms, idle=idle, stall=stall, seed=6)


@pytest.mark.parametrize("name", CONFIGS | SHARED_LINES)
def test_sim_parameters(name):
    """Those of tiles that share a line, those that need several lines, and the edge of N."""
    config = small_config(**(CONFIGS | SHARED_LINES)[name] | A_BUFFER)
    rng = random.Random(name)
    sizes = [1, config.columns, config.columns + 1, 3 * config.columns, 5 * config.columns - 1]
    gemms = [random_gemm(rng, config, n=n, k=3, m=1, m_block=1, batch=1, parameters=1) for n in sizes]
    check(config, gemms, idle=0, stall=0, seed=6)
