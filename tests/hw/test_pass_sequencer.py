import itertools
import random

import pytest
from hw.reference import passes, random_gemm
from hw.streams import drive, simulate, small_config, until
from systolith_hw.accumulators import AccumulatorBank
from systolith_hw.pass_sequencer import Activity, PassSequencer

CONFIGS = {
    "narrow bus": {"rows": 8, "columns": 4, "axi_data_bits": 32, "burst_bytes": 16, "a_buffer_lines": 16},
    "square": {"rows": 4, "columns": 4, "a_buffer_lines": 16},
    "wide bus": {"rows": 2, "columns": 4, "axi_data_bits": 128, "burst_bytes": 64, "a_buffer_lines": 32},
}


def expected_passes(gemms, config):
    """Every pass: what is told of its tile of B, and the rows that are issued in it.

    A row knows which line of the buffer's ring it is read from.
    """
    group = config.burst_lines * config.line_bytes
    base, half = 0, 0
    for gemm in gemms:
        lines = -(-gemm.k // config.line_bytes)
        walked = list(passes(gemm, config))
        for number, (_, (position, rows), (n, columns), (k, depth)) in enumerate(walked, 1):
            last_k, last_n = k + depth == gemm.k, n + columns == gemm.n
            line = k // config.line_bytes
            last_of_line = last_k or (k + config.rows) % config.line_bytes == 0
            tile = {
                "m_end": rows - 1,
                "k_end": depth - 1,
                "n_end": columns - 1,
                "k_part": k % config.line_bytes // config.rows,
                "first_use": int(n == 0 and k % group == 0),
                "last_use": int(last_of_line),
                "last_k": int(last_k),
                "last_n": int(last_n),
                "last_m": int(position + rows == gemm.m),
                "last": int(number == len(walked)),
            }
            issued = [
                {
                    "take": tile["first_use"],
                    "release": int(last_n and last_of_line),
                    "read_address": (base + line * rows + row) % config.a_buffer_lines,
                    "swap": int(row == 0),
                    "k_part": tile["k_part"],
                    "k_depth": depth,
                    "first": int(k == 0),
                    "half": half,
                    "row": row,
                    "tile_end": int(last_k and row == rows - 1),
                }
                for row in range(rows)
            ]
            yield tile, issued
            half ^= last_k
            if last_k and last_n:
                base += lines * rows


def tell(dut, tiles):
    """A testbench that tells of each tile of B when the one before it has been swapped in."""

    async def run(ctx):
        for tile in tiles:
            ctx.set(dut.weight_tile, tile)
            await until(ctx, dut.swap)

    return run


OUTPUTS = ["take", "release", "read_address", "swap", "k_part", "k_depth"]
ACCESS = ["first", "half", "row", "tile_end"]


@pytest.mark.parametrize("wait", [0, 0.3, 0.7])
@pytest.mark.parametrize("name", CONFIGS)
def test_sim_random(name, wait):
    """Rows are issued in order, whenever all they need is there and only then, and the causes are true."""
    config = small_config(**CONFIGS[name])
    rng = random.Random(name)
    gemms = [random_gemm(rng, config, batch=rng.randint(1, 2)) for _ in range(8)]
    gemms += [random_gemm(rng, config, m=m, m_block=m, k=3 * config.rows) for m in (1, 2, 3)]
    dut = PassSequencer(config)
    jobs = [gemm.job(dut.jobs.payload.shape()) for gemm in gemms]
    tiles, issues = zip(*expected_passes(gemms, config), strict=True)
    rows = list(itertools.chain(*issues))
    seen_activities, begins = set(), 0

    async def feed(ctx):
        await drive(ctx, dut.jobs, jobs, rng=random.Random(2), idle=wait)

    async def rest(ctx):
        nonlocal begins
        rng = random.Random(3)
        cycle, position, ready, begun = 0, 0, 0, 0
        halves_used, unreleased = 0, 0
        accesses = {}
        weights_ready, swapped = False, 0
        while position < len(rows) or unreleased:
            release = unreleased > 0 and rng.random() >= wait
            weights_ready = weights_ready or (cycle >= swapped + 2 and rng.random() >= wait)
            ctx.set(dut.tile_release, release)
            ctx.set(dut.weights_ready, weights_ready)
            ctx.set(dut.has_row, ready != 0)
            outputs = [getattr(dut, n) for n in OUTPUTS] + [getattr(dut.access, n) for n in ACCESS]
            _, _, activity, valid, begin, busy, *values = await ctx.tick().sample(
                dut.activity, dut.access.valid, dut.begin, dut.busy, *outputs
            )
            activity = Activity(activity)
            seen_activities.add(activity)
            assert valid == (activity == Activity.COMPUTE)
            assert busy == (activity != Activity.IDLE)
            assert not busy or begun
            issued = dict(zip(OUTPUTS + ACCESS, values, strict=True))
            if busy:
                row = rows[position]
                place = (row["half"], row["row"])
                no_half = row["swap"] and row["first"] and halves_used == 2
                no_b = row["swap"] and not weights_ready
                no_a = row["take"] and not ready
                recent = row["swap"] and cycle - accesses.get(place, -9) < AccumulatorBank.HAZARD_CYCLES
                cause = (
                    Activity.WAIT_OUTPUT if no_half
                    else Activity.WAIT_B if no_b
                    else Activity.WAIT_A if no_a
                    else Activity.WAIT_OUTPUT if recent
                    else Activity.COMPUTE
                )  # fmt: skip
                # A half that was given up in this cycle or new for this tile needs no recovery, but gets it.
                assert activity == cause or (cause, activity) == (Activity.COMPUTE, Activity.WAIT_OUTPUT)
                if activity == Activity.WAIT_OUTPUT and cause == Activity.COMPUTE:
                    assert cycle - max(accesses.values()) < AccumulatorBank.HAZARD_CYCLES
                    assert row["swap"] and row["row"] == 0
            if activity == Activity.COMPUTE:
                assert issued == rows[position]
                accesses[place] = cycle
                halves_used += row["swap"] and row["first"]
                unreleased += row["tile_end"]
                if row["swap"]:
                    weights_ready, swapped = False, cycle
                ready -= issued["take"]
                position += 1
            else:
                assert [issued[name] for name in ("take", "release", "swap", "tile_end")] == [0] * 4
            if release:
                halves_used -= 1
                unreleased -= 1
            if rng.random() >= wait:
                ready = min(ready + 1, 4)
            begins += begin
            begun += begin
            cycle += 1
        assert ready <= 4

    simulate(dut, feed, rest, tell(dut, tiles), limit=30_000)
    assert begins == len(gemms)
    if wait == 0.7:
        assert seen_activities == set(Activity)


def test_sim_no_bubble():
    """Passes of enough rows, and descriptors, follow each other without a pause."""
    config = small_config(a_buffer_lines=16)
    rng = random.Random(8)
    sizes = {"m": 4, "m_block": 4, "batch": 1}
    gemms = [random_gemm(rng, config, k=k, n=n, **sizes) for k, n in ((9, 9), (4, 4), (16, 5))]
    dut = PassSequencer(config)
    tiles, issues = zip(*expected_passes(gemms, config), strict=True)

    async def feed(ctx):
        jobs = [gemm.job(dut.jobs.payload.shape()) for gemm in gemms]
        await drive(ctx, dut.jobs, jobs, rng=rng, idle=0)

    async def rest(ctx):
        ctx.set(dut.weights_ready, 1)
        ctx.set(dut.has_row, 1)
        await ctx.tick()
        for _ in itertools.chain(*issues):
            end = ctx.get(dut.access.tile_end)
            _, _, activity = await ctx.tick().sample(dut.activity)
            assert activity == Activity.COMPUTE
            ctx.set(dut.tile_release, end)

    simulate(dut, feed, rest, tell(dut, tiles))


@pytest.mark.parametrize("m", [1, 2, 3, 4])
def test_sim_hazard(m):
    """Passes over the same few rows come back to an accumulator after exactly ``HAZARD_CYCLES``."""
    config = small_config(a_buffer_lines=16)
    gemm = random_gemm(random.Random(m), config, m=m, m_block=m, k=16, n=1, batch=1)
    dut = PassSequencer(config)
    firsts = []

    async def feed(ctx):
        await drive(ctx, dut.jobs, [gemm.job(dut.jobs.payload.shape())], rng=random.Random(0), idle=0)

    async def rest(ctx):
        ctx.set(dut.weights_ready, 1)
        ctx.set(dut.has_row, 1)
        for cycle in range(40):
            _, _, swap = await ctx.tick().sample(dut.swap)
            if swap:
                firsts.append(cycle)

    tiles = [tile for tile, _ in expected_passes([gemm], config)]
    simulate(dut, feed, rest, tell(dut, tiles))
    period = max(m, AccumulatorBank.HAZARD_CYCLES)
    assert [b - a for a, b in itertools.pairwise(firsts)] == [period] * 3
