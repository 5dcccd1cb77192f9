import random

import pytest
from hw.reference import ceil_div, random_gemm, steps
from hw.streams import STALLS, drive, simulate, small_config
from systolith_hw.store_sequencer import StoreSequencer

CONFIGS = {
    "square": {"rows": 4, "columns": 4},
    "wide bus": {"rows": 2, "columns": 2, "axi_data_bits": 256},
    "narrow bus": {"rows": 4, "columns": 8, "axi_data_bits": 32},
}


def stored_rows(gemms, config):
    """Tile by tile the rows of D: what the epilogue and the write DMA are told of each, and its tile."""
    half = 0
    for gemm in gemms:
        size = 1 if gemm.output else 4
        blocks = list(gemm.blocks())
        for number, (batch, position, rows) in enumerate(blocks):
            for n, columns in steps(gemm.n, config.columns):
                for row in range(rows):
                    address = gemm.d_address + batch * gemm.d_batch_stride + (position + row) * gemm.d_stride
                    offset = n * size % config.bus_bytes
                    last_row = row == rows - 1
                    last = last_row and n + columns == gemm.n and number == len(blocks) - 1
                    traits = {
                        "int8": gemm.output,
                        "relu": gemm.relu,
                        "parameters": gemm.parameters,
                        "half": half,
                        "columns": columns,
                        "offset": offset,
                        "tile_end": int(last_row),
                    }
                    write = {
                        "address": (address + n * size - offset) % (1 << 32) // config.bus_bytes,
                        "beats": ceil_div(columns * size, config.bus_bytes),
                        "slot": gemm.slot,
                        "end": int(last),
                    }
                    tile = {
                        "m_end": rows - 1,
                        "single_row": int(rows == 1),
                        "n_end": columns - 1,
                        "last_n": int(n + columns == gemm.n),
                        "last_m": int(position + rows == gemm.m),
                        "last": int(n + columns == gemm.n and number == len(blocks) - 1),
                    }
                    yield row, traits, write, tile
                half ^= 1


@pytest.mark.parametrize(("idle", "stall"), STALLS)
@pytest.mark.parametrize("name", CONFIGS)
def test_sim_random(name, idle, stall):
    """Each row goes to both streams in one cycle, and none before its tile is finished."""
    config = small_config(**CONFIGS[name], a_buffer_lines=32)
    rng = random.Random(name)
    gemms = [random_gemm(rng, config, k=3) for _ in range(8)]
    dut = StoreSequencer(config)
    jobs = [gemm.job(dut.jobs.payload.shape()) for gemm in gemms]
    expected = list(stored_rows(gemms, config))
    tiles = [(traits["half"], tile) for _, traits, _, tile in expected if traits["tile_end"]]
    finished = stored_tiles = 0

    async def feed(ctx):
        await drive(ctx, dut.jobs, jobs, rng=random.Random(1), idle=idle)

    async def tiles_done(ctx):
        """At most two tiles are finished and not stored: there are two halves."""
        nonlocal finished
        rng = random.Random(2)
        while finished < len(tiles):
            done = finished - stored_tiles < 2 and rng.random() >= idle
            half, tile = tiles[finished]
            ctx.set(dut.tile_end, done)
            ctx.set(dut.tile_half, half)
            ctx.set(dut.tile, tile)
            ctx.set(dut.tile_done, done)
            await ctx.tick()
            finished += done
        ctx.set(dut.tile_end, 0)
        ctx.set(dut.tile_done, 0)

    async def take(ctx):
        nonlocal stored_tiles
        rng = random.Random(3)
        for row, traits, write, _ in expected:
            while True:
                rows_ready, writes_ready = (rng.random() >= stall for _ in range(2))
                ctx.set(dut.rows.ready, rows_ready)
                ctx.set(dut.writes.ready, writes_ready)
                fields = [dut.rows.payload[name] for name in traits]
                fields += [dut.writes.payload[name] for name in write]
                _, _, rows_valid, writes_valid, read_row, busy, *values = await ctx.tick().sample(
                    dut.rows.valid, dut.writes.valid, dut.rows.payload.accumulator_row, dut.busy, *fields
                )
                assert (rows_valid and rows_ready) == (writes_valid and writes_ready)
                if rows_valid or writes_valid:
                    assert busy
                    assert stored_tiles < finished
                    assert read_row == row
                    assert values == [*traits.values(), *write.values()]
                if rows_valid and rows_ready:
                    stored_tiles += traits["tile_end"]
                    break
        for _ in range(5):
            assert not (await ctx.tick().sample(dut.busy))[-1]

    simulate(dut, feed, tiles_done, take)
