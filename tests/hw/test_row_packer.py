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
        begin = offset // (lanes * (1 if int8 else 4))
        for index in range(count):
            group = values[index * lanes : (index + 1) * lanes]
            row_end = index == count - 1
            yield {
                "values": [value % 256 * 0x01010101 for value in group] if int8 else group,
                "position": (begin + index) % max(1, config.bus_bytes // lanes),
                "row_end": row_end,
                "int8": int8,
                "tail": columns % lanes if row_end else 0,
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
@pytest.mark.parametrize(("lanes", "bits"), [(4, 32), (1, 32), (4, 64), (2, 128)])
def test_sim_throughput(int8, lanes, bits):
    """Groups wait for nothing but the beats that they make, a cycle after they complete them."""
    config = small_config(columns=4, epilogue_lanes=lanes, axi_data_bits=bits)
    dut = RowPacker(config)
    rows = [([1, 2, 3, 4], int8, 4, 0)] * 5
    waiting = list(groups(rows, config))
    group_bytes = lanes * (1 if int8 else 4)

    async def bench(ctx):
        collected = left = 0
        ctx.set(dut.beats.ready, 1)
        ctx.set(dut.groups.valid, 1)
        for group in waiting:
            ctx.set(dut.groups.payload, group)
            while True:
                ready, valid = ctx.get(dut.groups.ready), ctx.get(dut.beats.valid)
                assert valid == (left > 0)
                assert ready == (left <= 1)
                await ctx.tick()
                left = max(0, left - 1)
                if ready:
                    break
            collected += group_bytes
            if collected >= bits // 8 or group["row_end"]:
                left = -(-collected // (bits // 8))
                collected = 0

    simulate(dut, bench)
