import random

import pytest
from hw.reference import b_panels, passes, random_gemm
from hw.streams import drive, simulate, small_config
from systolith_hw.array import SystolicArray
from systolith_hw.descriptor import BLayout
from systolith_hw.weight_feeder import WeightFeeder

CONFIGS = {
    "narrow bus": {"rows": 8, "columns": 4, "axi_data_bits": 32, "burst_bytes": 16},
    "square": {"rows": 4, "columns": 4},
    "wide array": {"rows": 2, "columns": 8, "axi_data_bits": 64},
    "wide bus": {"rows": 2, "columns": 4, "axi_data_bits": 256, "burst_bytes": 64},
    "two": {"rows": 2, "columns": 2},
    "tiles": {"rows": 4, "columns": 8, "tile_columns": 2},
    "one tile": {"rows": 8, "columns": 4, "axi_data_bits": 32, "tile_columns": 4},
}


def byte_at(address):
    """The contents of memory: a hash of the address."""
    return (address * 2654435761 >> 11) & 0xFF


def read(address, count):
    return [byte_at((address + offset) % (1 << 32)) for offset in range(count)]


class Buffer:
    """The B buffer: holds the panels of some GEMMs, which arrive row by row at random."""

    def __init__(self, dut, config, gemms, *, seed, idle):
        self.dut, self.idle, self.random = dut, idle, random.Random(seed)
        self.depth = config.b_buffer_lines
        self.panels = [panel for gemm in gemms for panel in b_panels(gemm, config)]
        self.config = config
        self.lines = [None] * self.depth
        self.ready = self.taken = self.released = 0
        self.rows = self._rows()

    def _rows(self):
        """Place rows one by one; yield after each."""
        place = 0
        for panel in self.panels:
            rows = len(panel.addresses)
            size = self.config.line_bytes
            lines = self.config.parameter_lines if panel.kind == "parameters" else panel.lines(self.config)
            while place + rows * lines - self.released > self.depth:
                yield False
            for row, address in enumerate(panel.addresses):
                for line in range(lines):
                    index = place + line * rows + row
                    self.lines[index % self.depth] = read(address + line * size, size)
                yield True
            place += rows * lines

    async def run(self, ctx):
        data = [0] * self.config.line_bytes
        while True:
            ctx.set(self.dut.rows_ready, self.ready)
            ctx.set(self.dut.has_row, self.ready != 0)
            ctx.set(self.dut.read_data, int.from_bytes(data, "little"))
            _, _, take, release, address = await ctx.tick().sample(
                self.dut.take, self.dut.release, self.dut.read_address
            )
            assert take <= self.ready, "more rows taken than are there"
            data = self.lines[address] or data
            if self.random.random() >= self.idle:
                self.ready += next(self.rows, False)
            self.ready -= take
            self.taken += take
            self.released += release


def expected_tiles(gemms, config):
    """Every tile as the lines that are loaded, and the parameters sent between them."""
    half = 0
    for gemm in gemms:
        for batch, _, (n, columns), (k, depth) in passes(gemm, config):
            if k == 0 and gemm.parameters:
                yield "parameters", half, gemm.parameter_address + 8 * n, min(config.columns, gemm.n - n)
            base = gemm.b_address + batch * gemm.b_batch_stride
            if gemm.b_layout == BLayout.NK:
                lines = [read(base + (n + column) * gemm.b_stride + k, depth) for column in range(columns)]
            else:
                lines = [read(base + (k + row) * gemm.b_stride + n, columns) for row in range(depth)]
            yield "weights", gemm.b_layout == BLayout.NK, lines
            half ^= k + depth == gemm.k


@pytest.mark.parametrize("idle", [0, 0.5])
@pytest.mark.parametrize("name", CONFIGS)
def test_sim_random(name, idle):
    """Tiles arrive whole, without a pause, no earlier than the array allows and announced in time."""
    config = small_config(**CONFIGS[name], a_buffer_lines=32)
    rng = random.Random(name)
    sizes = {"m": 3, "m_block": 2, "batch": 1}
    gemms = [random_gemm(rng, config, b_layout=layout, **sizes) for layout in [*BLayout] * 3]
    swap_to_load = max(config.rows, config.column_tiles) - SystolicArray.LOAD_TO_SWAP
    lead = config.columns - config.column_tiles
    dut = WeightFeeder(config, swap_to_load=swap_to_load, column_lead=lead)
    buffer = Buffer(dut, config, gemms, seed=1, idle=idle)
    tiles = list(expected_tiles(gemms, config))
    ends = [
        k + depth == gemm.k
        for gemm in gemms
        for *_, (k, depth) in passes(gemm, config)
    ]  # fmt: skip
    jobs = [gemm.job(dut.jobs.payload.shape()) for gemm in gemms]
    loads, parameters, swaps = [], [], []
    unreleased = 0

    async def feed(ctx):
        await drive(ctx, dut.jobs, jobs, rng=random.Random(2), idle=idle)

    async def sequencer(ctx):
        """Swaps tiles in when they are ready, and releases tiles of N two behind at most."""
        nonlocal unreleased
        rng = random.Random(3)
        done = cycle = 0
        # The last tile may still be on its way when it is swapped in.
        trailing = max(config.rows, config.columns) + 4
        while done < len(ends) or unreleased or trailing:
            trailing -= done == len(ends) and not unreleased
            ready = ctx.get(dut.ready)
            swap = ready and unreleased < 2 and rng.random() >= idle
            release = unreleased > 0 and rng.random() >= idle
            ctx.set(dut.swap, swap)
            ctx.set(dut.tile_release, release)
            load = (dut.load.valid, dut.load.by_column, dut.load.index, dut.load.weights.as_value())
            line = (dut.parameters.valid, dut.parameters.half, dut.parameters.index, dut.parameters.data)
            _, _, *values = await ctx.tick().sample(*load, *line)
            if values[0]:
                loads.append((cycle, *values[1:4]))
            if values[4]:
                parameters.append((cycle, *values[5:]))
            if swap:
                swaps.append(cycle)
                unreleased += ends[done]
                done += 1
            if release:
                unreleased -= 1
            cycle += 1
        assert not ctx.get(dut.busy)

    simulate(dut, feed, sequencer, background=[buffer.run])

    tile_loads, columnwise, leads = [], [], []
    line_iter, parameter_iter = iter(loads), iter(parameters)
    for tile in tiles:
        if tile[0] == "parameters":
            _, half, address, columns = tile
            size = 8 * config.columns // config.parameter_lines
            got = b""
            for index in range(config.parameter_lines):
                _, got_half, got_index, got_data = next(parameter_iter)
                assert (got_half, got_index) == (half, index)
                got += got_data.to_bytes(size, "little")
            assert list(got[: 8 * columns]) == read(address, 8 * columns)
        else:
            _, by_column, lines = tile
            begun = None
            for index, line in enumerate(lines):
                cycle, got_by_column, got_index, weights = next(line_iter)
                begun = cycle if begun is None else begun
                assert (cycle, got_by_column, got_index) == (begun + index, by_column, index)
                assert list(weights.to_bytes(max(config.rows, config.columns), "little")[: len(line)]) == line
            tile_loads.append(begun)
            columnwise.append(by_column)
            leads.append(min(len(lines) - 1, lead) if by_column else 0)
    assert not list(line_iter)
    assert not list(parameter_iter)
    assert buffer.ready == 0
    assert not any(next(buffer.rows, False) for _ in range(5))

    # The pass sequencer's cycles and the array's: a row is there some cycles after it was issued.
    feeder_to_array = 2
    waits = [
        swap + feeder_to_array - load - early - SystolicArray.LOAD_TO_SWAP
        for load, early, swap in zip(tile_loads, leads, swaps, strict=True)
    ]
    assert min(waits) >= 0
    if not idle:
        at_once = {by_column for by_column, wait in zip(columnwise, waits, strict=True) if not wait}
        assert at_once == {False, True}, "tiles are ready later than they could"
    for swap, load in zip(swaps, tile_loads[1:], strict=False):
        assert load >= swap + feeder_to_array + swap_to_load
    if not idle:
        earliest = min(load - swap for swap, load in zip(swaps, tile_loads[1:], strict=False))
        assert earliest == max(swap_to_load, 1) + feeder_to_array, "tiles start later than they could"


def test_sim_parameters_wait():
    """The parameters of the third tile of N wait until the epilogue has released the first."""
    config = small_config()
    rng = random.Random(5)
    sizes = {"m": 1, "m_block": 1, "batch": 1, "k": 4, "n": 12, "parameters": 1}
    gemm = random_gemm(rng, config, **sizes)
    dut = WeightFeeder(config, swap_to_load=2, column_lead=0)
    buffer = Buffer(dut, config, [gemm], seed=1, idle=0)

    async def bench(ctx):
        await drive(ctx, dut.jobs, [gemm.job(dut.jobs.payload.shape())], rng=rng, idle=0)
        sent = 0
        for _ in range(60):
            ctx.set(dut.swap, ctx.get(dut.ready))
            sent += (await ctx.tick().sample(dut.parameters.valid))[-1]
        assert sent == 2 * config.parameter_lines
        ctx.set(dut.tile_release, 1)
        await ctx.tick()
        ctx.set(dut.tile_release, 0)
        for _ in range(20):
            sent += (await ctx.tick().sample(dut.parameters.valid))[-1]
        assert sent == 3 * config.parameter_lines

    simulate(dut, bench, background=[buffer.run])
