import random

import pytest
from hw.streams import STALLS, pipe, simulate, small_config
from systolith_hw.row_packer import RowPacker


def make_rows(rng, config, count):
    """Rows as (values, int8, columns, offset), with offsets as the store sequencer makes them."""
    rows = []
    for _ in range(count):
        int8 = rng.randrange(2)
        columns = rng.choice([config.columns, 1, rng.randint(1, config.columns)])
        tile_bytes = config.columns * (1 if int8 else 4)
        tiles = max(1, config.bus_bytes // tile_bytes)
        low, high = (-128, 127) if int8 else (-(1 << 31), (1 << 31) - 1)
        values = [rng.randint(low, high) for _ in range(config.columns)]
        rows.append((values, int8, columns, tile_bytes * rng.randrange(tiles) % config.bus_bytes))
    return rows


def groups(rows, config):
    """The groups that the epilogue would send; lanes beyond the last column hold anything."""
    lanes = config.epilogue_lanes
    for values, int8, columns, offset in rows:
        count = -(-columns // lanes)
        for index in range(count):
            yield {
                "values": values[index * lanes : (index + 1) * lanes],
                "index": index,
                "row_end": index == count - 1,
                "int8": int8,
                "columns": columns,
                "offset": offset,
            }


def beats(rows, config):
    """The strobed bytes of every beat, as dicts of position to byte."""
    for values, int8, columns, offset in rows:
        size = 1 if int8 else 4
        row = b"".join((value % (1 << 8 * size)).to_bytes(size, "little") for value in values[:columns])
        row_beats = -(-len(row) // config.bus_bytes)
        for beat in range(row_beats):
            start = beat * config.bus_bytes
            part = row[start : start + config.bus_bytes]
            yield {offset + position: byte for position, byte in enumerate(part)}


def strobed(beat, config):
    data = beat["data"].to_bytes(config.bus_bytes, "little")
    return {byte: data[byte] for byte in range(config.bus_bytes) if beat["strobe"] >> byte & 1}


@pytest.mark.parametrize(("idle", "stall"), STALLS)
@pytest.mark.parametrize(
    ("columns", "lane_count", "bits"),
    [(4, 4, 32), (4, 1, 32), (8, 2, 64), (2, 2, 128), (8, 8, 256), (2, 1, 512), (16, 4, 512)],
)
def test_sim_random(columns, lane_count, bits, idle, stall):
    config = small_config(columns=columns, epilogue_lanes=lane_count, axi_data_bits=bits)
    rng = random.Random(columns * bits)
    rows = make_rows(rng, config, 40)
    sent, expected = list(groups(rows, config)), list(beats(rows, config))
    dut = RowPacker(config)
    got = pipe(dut, dut.groups, dut.beats, sent, len(expected), seed=bits, idle=idle, stall=stall)
    assert [strobed(beat, config) for beat in got] == expected


@pytest.mark.parametrize("int8", [0, 1])
def test_sim_throughput(int8):
    """Rows that fill whole beats leave no gap, and come one cycle after their last group."""
    config = small_config(columns=4, axi_data_bits=32)
    dut = RowPacker(config)
    row_beats = 1 if int8 else 4

    async def bench(ctx):
        ctx.set(dut.beats.ready, 1)
        ctx.set(dut.groups.valid, 1)
        ctx.set(dut.groups.payload, {"row_end": 1, "int8": int8, "columns": 4, "values": [1, 2, 3, 4]})
        for cycle in range(5 * row_beats):
            assert ctx.get(dut.groups.ready) == (cycle % row_beats == 0)
            assert ctx.get(dut.beats.valid) == (cycle > 0)
            await ctx.tick()

    simulate(dut, bench)
