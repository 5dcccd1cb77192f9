import itertools
import random

import pytest
from hw.streams import STALLS, accept, lanes, offer, signed, simulate, small_config
from systolith_hw.epilogue import Epilogue
from systolith_hw.serial_epilogue import SerialEpilogue

INT32 = (-(1 << 31), (1 << 31) - 1)
CONFIGS = {
    "all lanes": {"rows": 4, "columns": 4},
    "one lane": {"rows": 4, "columns": 4, "epilogue_lanes": 1},
    "two lanes, wide bus": {"rows": 2, "columns": 4, "epilogue_lanes": 2, "axi_data_bits": 512},
    "two lanes, narrow bus": {"rows": 4, "columns": 8, "epilogue_lanes": 2, "axi_data_bits": 64},
    "serial": {"rows": 4, "columns": 4, "lane_cycles": 16},
    "serial, wide bus": {"rows": 2, "columns": 2, "lane_cycles": 32, "axi_data_bits": 512},
}


def expected(value, traits, parameters):
    bias, multiplier, shift = parameters if traits["parameters"] else (0, 0, 0)
    value += bias
    low, high = INT32
    if traits["int8"]:
        value = (value * multiplier + (1 << shift >> 1)) >> shift
        low, high = -128, 127
    value = min(max(value, low), high)
    return max(value, 0) if traits["relu"] else value


def random_parameters(rng):
    shift = rng.randrange(40)
    return rng.randint(-(1 << 20), 1 << 20), rng.randrange(1 << 16), shift


def pack(parameters):
    return sum(
        ((bias & 0xFFFFFFFF) | multiplier << 32 | shift << 48) << 64 * column
        for column, (bias, multiplier, shift) in enumerate(parameters)
    )


def make_epilogue(config):
    return Epilogue(config) if config.lane_cycles == 1 else SerialEpilogue(config)


@pytest.mark.parametrize(("idle", "stall"), STALLS)
@pytest.mark.parametrize("name", CONFIGS)
def test_sim_random(name, idle, stall):
    """Tiles of several rows with parameters of their own, which are replaced as soon as that is allowed."""
    config = small_config(**CONFIGS[name])
    rng = random.Random(name)
    dut = make_epilogue(config)
    columns, lane_count = config.columns, config.epilogue_lanes
    tiles = []
    for _ in range(14):
        int8 = rng.randrange(2)
        common = {
            "int8": int8,
            "relu": rng.randrange(2),
            "parameters": int8 or rng.randrange(2),
            "columns": rng.choice([columns, rng.randint(1, columns)]),
        }
        tile_bytes = columns * (1 if int8 else 4)
        offset = tile_bytes * rng.randrange(8) % config.bus_bytes
        rows = [
            common
            | {
                "half": len(tiles) % 2,
                "offset": offset,
                "tile_end": 0,
                "values": [rng.randint(*INT32) >> rng.choice([0, 8, 16, 24]) for _ in range(columns)],
            }
            for _ in range(rng.randint(1, 5))
        ]
        rows[-1]["tile_end"] = 1
        tiles.append(([random_parameters(rng) for _ in range(columns)], rows))
    released = 0
    sent = -1

    async def send_parameters(ctx):
        """Those of tile t once tile t − 2 has been released."""
        nonlocal sent
        line_bits = len(dut.parameters.data)
        for number, (parameters, rows) in enumerate(tiles):
            while released < number - 1:
                await ctx.tick()
            if rows[0]["parameters"]:
                for index in range(config.parameter_lines):
                    part = pack(parameters) >> line_bits * index & (1 << line_bits) - 1
                    value = {"valid": 1, "half": number % 2, "index": index, "data": part}
                    ctx.set(dut.parameters, value)
                    await ctx.tick()
                    ctx.set(dut.parameters, {"valid": 0, "half": 0, "index": 0, "data": 12345})
                    if rng.random() < idle:
                        await ctx.tick()
            sent = number

    async def send_rows(ctx):
        source = random.Random(1)
        for number, (_, rows) in enumerate(tiles):
            while sent < number:
                await ctx.tick()
            for row in rows:
                traits = {name: value for name, value in row.items() if name != "values"}
                await offer(ctx, dut.rows, traits, rng=source, idle=idle)
                ctx.set(dut.accumulators, row["values"])

    async def count_releases(ctx):
        nonlocal released
        while released < len(tiles):
            released += (await ctx.tick().sample(dut.tile_release))[-1]

    async def take(ctx):
        sink = random.Random(2)
        for parameters, rows in tiles:
            for row in rows:
                groups = -(-row["columns"] // lane_count)
                for index in range(groups):
                    group = await accept(ctx, dut.groups, rng=sink, stall=stall)
                    row_end = index == groups - 1
                    begin = row["offset"] // (lane_count * (1 if row["int8"] else 4))
                    assert group["position"] == (begin + index) % max(1, config.bus_bytes // lane_count)
                    assert group["row_end"] == row_end
                    assert group["int8"] == row["int8"]
                    assert group["tail"] == (row["columns"] % lane_count if row_end else 0)
                    for lane in range(lane_count):
                        column = index * lane_count + lane
                        value = expected(row["values"][column], row, parameters[column])
                        if row["int8"]:
                            value = signed(value % 256 * 0x01010101, 32)
                        assert group["values"][lane] == value, (row, parameters[column])
        for _ in range(10):
            assert not (await ctx.tick().sample(dut.groups.valid))[-1]

    simulate(dut, send_parameters, send_rows, count_releases, take)


def test_sim_latency():
    """Measured from the row's acceptance; then a row a cycle."""
    config = small_config()
    dut = Epilogue(config)
    seen = []

    async def bench(ctx):
        ctx.set(dut.groups.ready, 1)
        for cycle in itertools.count():
            ctx.set(dut.rows.valid, cycle < 6)
            ctx.set(dut.rows.payload.columns, 4)
            ctx.set(dut.accumulators, [cycle - 1] * 4)
            _, _, ready, valid, values = await ctx.tick().sample(
                dut.rows.ready, dut.groups.valid, dut.groups.payload.values.as_value()
            )
            assert ready
            if valid:
                seen.append((cycle, lanes(values, 32, 4)))
            if cycle > 15:
                break

    simulate(dut, bench)
    assert seen == [(row + Epilogue.LATENCY, [row] * 4) for row in range(6)]
    assert signed(0xFFFFFFFF, 32) == -1


@pytest.mark.parametrize("lane_cycles", [16, 64])
def test_sim_serial_latency(lane_cycles):
    """A column takes ``lane_cycles`` cycles, also across rows and whatever is computed."""
    config = small_config(lane_cycles=lane_cycles)
    dut = SerialEpilogue(config)
    offers, results = [], []

    async def bench(ctx):
        ctx.set(dut.groups.ready, 1)
        ctx.set(dut.rows.valid, 1)
        for cycle in range(7 * lane_cycles):
            ctx.set(dut.rows.payload, {"columns": 3, "int8": len(offers) % 2, "parameters": 1})
            if ctx.get(dut.rows.ready):
                offers.append(cycle)
            if ctx.get(dut.groups.valid):
                results.append(cycle)
            await ctx.tick()

    simulate(dut, bench)
    assert results == [SerialEpilogue.latency(config) + lane_cycles * column for column in range(6)]
    assert offers == [0, *(1 + lane_cycles * (3 * row + 2) for row in range(2))]
