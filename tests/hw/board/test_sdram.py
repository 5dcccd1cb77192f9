import dataclasses
import random
import re

import pytest
from amaranth.hdl import ResetInserter, Signal
from hw.board.sdram_chip import RAS_MAX_NS, ChipModel, attach
from hw.streams import STALLS, simulate, ticks
from systolith_hw.board.sdram import IS42S16160G, SdramMemory
from systolith_hw.boards.build import emit
from systolith_hw.boards.table import find_board

QUICK = dataclasses.replace(IS42S16160G, power_up_ns=1000)
SMALL = dataclasses.replace(QUICK, row_bits=11, column_bits=5, refresh_ns=64_000_000 // 4)
"""Short rows, so that bursts cross them, and refreshed four times as often as need be."""


async def handshake(ctx, dut, channel, rng, stall, **fields):
    """Offer something on a channel until it is taken."""
    for name, value in fields.items():
        ctx.set(getattr(dut, f"s_axi_{channel}{name}"), value)
    while rng.random() < stall:
        await ctx.tick()
    ctx.set(getattr(dut, f"s_axi_{channel}valid"), 1)
    taken = 0
    while not taken:
        _, _, taken = await ctx.tick().sample(getattr(dut, f"s_axi_{channel}ready"))
    ctx.set(getattr(dut, f"s_axi_{channel}valid"), 0)


async def accept(ctx, dut, channel, names, rng, stall):
    """Take one thing from a channel."""
    ready = getattr(dut, f"s_axi_{channel}ready")
    ports = [getattr(dut, f"s_axi_{channel}{name}") for name in ("valid", *names)]
    while True:
        willing = rng.random() >= stall
        ctx.set(ready, willing)
        _, _, valid, *values = await ctx.tick().sample(*ports)
        if valid and willing:
            ctx.set(ready, 0)
            return values


class Bursts:
    """A manager that writes and reads at random, and knows what it must get."""

    def __init__(self, dut, *, data_bits, limit_bytes, rng, idle=0.0, stall=0.0):
        self.dut, self.rng, self.idle, self.stall = dut, rng, idle, stall
        self.beat_bytes = data_bits // 8
        self.limit_bytes = limit_bytes
        self.content = {}

    def place(self, beats):
        """An address from which on so many beats do not cross 4096 bytes."""
        within = self.rng.randrange((4096 - beats * self.beat_bytes) // self.beat_bytes + 1)
        return 4096 * self.rng.randrange(self.limit_bytes // 4096) + within * self.beat_bytes

    def address(self, start, beats):
        size = (self.beat_bytes - 1).bit_length()
        return {"addr": start, "len": beats - 1, "size": size, "burst": 1, "id": self.rng.randrange(2)}

    async def write(self, ctx, start, beats, **changes):
        address = self.address(start, beats) | changes
        await handshake(ctx, self.dut, "aw", self.rng, self.idle, **address)
        for beat in range(beats):
            data = self.rng.randbytes(self.beat_bytes)
            strobe = self.rng.choice([0, -1, self.rng.getrandbits(self.beat_bytes)])
            strobe &= (1 << self.beat_bytes) - 1
            fields = {"data": int.from_bytes(data, "little"), "strb": strobe, "last": beat == beats - 1}
            await handshake(ctx, self.dut, "w", self.rng, self.idle, **fields)
            for lane in range(self.beat_bytes):
                if strobe >> lane & 1 and not changes:
                    self.content[start + beat * self.beat_bytes + lane] = data[lane]
        identifier, response = await accept(ctx, self.dut, "b", ("id", "resp"), self.rng, self.stall)
        assert identifier == address["id"]
        return response

    async def read(self, ctx, start, beats, **changes):
        address = self.address(start, beats) | changes
        await handshake(ctx, self.dut, "ar", self.rng, self.idle, **address)
        for beat in range(beats):
            names = ("data", "id", "resp", "last")
            data, identifier, response, last = await accept(ctx, self.dut, "r", names, self.rng, self.stall)
            assert (identifier, bool(last)) == (address["id"], beat == beats - 1)
            if not response:
                first = start + beat * self.beat_bytes
                expected = bytes(self.content.get(first + lane, 0) for lane in range(self.beat_bytes))
                assert data.to_bytes(self.beat_bytes, "little") == expected
        return response


def run(dut, model, bench, limit):
    simulate(dut, bench, background=[attach(dut.pins, model)], limit=limit)


@pytest.mark.parametrize(("idle", "stall"), STALLS)
@pytest.mark.parametrize(("data_bits", "clock_hz"), [(32, 25_000_000), (64, 66_000_000), (128, 100_000_000)])
def test_random(data_bits, clock_hz, idle, stall):
    """Bursts over rows and refreshes; every byte that was written is read, and no rule is broken."""
    rng = random.Random(data_bits)
    dut = SdramMemory(SMALL, data_bits=data_bits, clock_hz=clock_hz)
    model = ChipModel(SMALL, clock_hz)
    size = 8192
    bursts = Bursts(dut, data_bits=data_bits, limit_bytes=size, rng=rng, idle=idle, stall=stall)

    async def bench(ctx):
        for _ in range(30):
            beats = rng.choice([1, 1, 2, 5, rng.randint(1, min(256, 4096 // bursts.beat_bytes) // 4)])
            start = bursts.place(beats)
            assert await (bursts.write if rng.random() < 0.5 else bursts.read)(ctx, start, beats) == 0
        beats = 2048 // bursts.beat_bytes // 4
        for start in range(0, size, beats * bursts.beat_bytes):
            assert await bursts.read(ctx, start, beats) == 0

    run(dut, model, bench, 100_000)
    assert len(model.refreshed) > 10


@pytest.mark.parametrize("data_bits", [32, 128])
def test_latency(data_bits):
    """As documented, from the cycle in which the address is taken."""
    dut = SdramMemory(QUICK, data_bits=data_bits, clock_hz=100_000_000)
    rng = random.Random(4)
    bursts = Bursts(dut, data_bits=data_bits, limit_bytes=4096, rng=rng)
    model = ChipModel(QUICK, 100_000_000)

    async def bench(ctx):
        await bursts.write(ctx, 0, 1)
        await handshake(ctx, dut, "ar", rng, 0, **bursts.address(0, 1))
        begin = model.cycle
        await accept(ctx, dut, "r", (), rng, 0)
        assert model.cycle - begin == 8 + QUICK.cas_latency + data_bits // 16

    run(dut, model, bench, 2000)


def test_errors():
    """Answered in order with the others, and without a trace in the memory."""
    dut = SdramMemory(SMALL, data_bits=64, clock_hz=50_000_000)
    bursts = Bursts(dut, data_bits=64, limit_bytes=8192, rng=random.Random(1))

    async def bench(ctx):
        assert await bursts.write(ctx, 0, 8) == 0
        assert await bursts.read(ctx, 0, 4, size=2) == 2
        assert await bursts.read(ctx, SMALL.memory_bytes, 3) == 3
        assert await bursts.write(ctx, 0, 4, burst=0) == 2
        assert await bursts.write(ctx, SMALL.memory_bytes, 4, id=1) == 3
        assert await bursts.read(ctx, 0, 8) == 0
        last = SMALL.memory_bytes - 8
        assert await bursts.write(ctx, last, 1) == 0
        assert await bursts.read(ctx, last, 1) == 0

    run(dut, ChipModel(SMALL, 50_000_000), bench, 20_000)


def test_throughput():
    """Long bursts of one row take a cycle per word and a few for themselves."""
    clock_hz = 100_000_000
    dut = SdramMemory(QUICK, data_bits=64, clock_hz=clock_hz)
    bursts = Bursts(dut, data_bits=64, limit_bytes=4096, rng=random.Random(2))
    model = ChipModel(QUICK, clock_hz)
    cycles = {}

    async def bench(ctx):
        await bursts.write(ctx, 0, 1)
        for kind in ("read", "write"):
            begin = model.cycle
            for start in range(0, 4096, 512):
                await getattr(bursts, kind)(ctx, start, 64)
            cycles[kind] = model.cycle - begin

    run(dut, model, bench, 20_000)
    # 2048 words; 8 bursts of one manager that waits for each; 4 rows; 3 or 4 refreshes for each kind.
    assert 2048 < cycles["read"] < 2048 + 8 * 14 + 4 * 8 + 4 * 16
    assert 2048 < cycles["write"] < 2048 + 8 * 6 + 4 * 12 + 4 * 16


@pytest.mark.parametrize("name", ["rcd_ns", "rp_ns", "ras_ns", "rc_ns", "rfc_ns", "wr_ns", "power_up_ns"])
def test_rules_seeded(name):
    """A chip that needs more time than the controller gives is found out; one that is told of gets it."""
    clock_hz = 100_000_000
    slower = dataclasses.replace(SMALL, **{name: getattr(SMALL, name) + 400})

    def write_rows(chip):
        dut = SdramMemory(chip, data_bits=32, clock_hz=clock_hz)
        bursts = Bursts(dut, data_bits=32, limit_bytes=4096, rng=random.Random(3))

        async def bench(ctx):
            # Of the next bank each time, then all of one.
            for start in (*range(0, 2048, 64), *range(0, 4096, 256)):
                await bursts.write(ctx, start, 1)
            await ticks(ctx, 2000)

        run(dut, ChipModel(slower, clock_hz), bench, 20_000)

    rule = {"power_up_ns": "before power is up"}.get(name, f"t{name.removesuffix('_ns').upper()}")
    with pytest.raises(AssertionError, match=rule):
        write_rows(SMALL)
    write_rows(slower)


@pytest.mark.parametrize("kind", ["idle", "reading", "writing", "powering up"])
def test_reset(kind):
    """A chip that is on keeps what it holds: its row is closed in time, and its refreshes go on."""
    clock_hz = 100_000_000
    chip = dataclasses.replace(SMALL, power_up_ns=RAS_MAX_NS + 1)
    reset = Signal()
    memory = SdramMemory(chip, data_bits=32, clock_hz=clock_hz)
    bursts = Bursts(memory, data_bits=32, limit_bytes=4096, rng=random.Random(6))
    channel = {"reading": "ar", "writing": "aw"}.get(kind)

    async def hold_reset(ctx):
        ctx.set(reset, 1)
        await ticks(ctx, 256)
        ctx.set(reset, 0)

    async def bench(ctx):
        if kind == "powering up":
            await ticks(ctx, 1000)
            await hold_reset(ctx)
        for start in range(0, 4096, 256):
            assert await bursts.write(ctx, start, 64) == 0
        for each in range(10):
            if channel:
                await handshake(ctx, memory, channel, bursts.rng, 0, **bursts.address(256 * each % 4096, 64))
            await ticks(ctx, bursts.rng.randrange(60))
            await hold_reset(ctx)
            start = bursts.place(4)
            assert await bursts.write(ctx, start, 4) == 0
        for start in range(0, 4096, 256):
            assert await bursts.read(ctx, start, 64) == 0

    model = ChipModel(chip, clock_hz)
    dut = ResetInserter(reset)(memory)
    simulate(dut, bench, background=[attach(memory.pins, model)], limit=200_000)


@pytest.mark.parametrize("clock_hz", [1_000_000, 6_399_999, 133_000_000])
def test_clock(clock_hz):
    with pytest.raises(ValueError, match=r"^the SDRAM's clock must be from \d+ to 100000000 Hz"):
        IS42S16160G.check_clock(clock_hz)


@pytest.mark.parametrize("clock_mhz", [16, 25, 50, 66, 75, 80, 100])
def test_clock_lag(clock_mhz):
    """Commands and data stand still at the edges that take them."""
    period, chip, pads = 1e3 / clock_mhz, IS42S16160G, 5
    lag = chip.clock_lag_ns(clock_mhz * 1_000_000)
    assert 3 <= lag <= period - 3
    begin = lag + (chip.cas_latency - 1) * period + chip.ac_ns + pads
    end = lag + chip.cas_latency * period + chip.oh_ns + pads
    sampled = (chip.cas_latency + 1) * period
    assert begin + 3 <= sampled <= end - 3


def test_board(tmp_path):
    """A board with SDRAM has its pins, registers in their pads, and a clock for the chip."""
    board = find_board("ulx3s-85f-sdram")
    config = board.config("2x2")
    emit(board, config, tmp_path, clock_hz=board.clock_hz)
    pins = set(re.findall(r'LOCATE COMP "(sdram_0__\w+(?:\[\d+\])?)', (tmp_path / "top.lpf").read_text()))
    outputs, both, clock = 1 + 4 + 2 + 13 + 2, 16, 1
    assert len(pins) == outputs + both + clock
    design = (tmp_path / "top.il").read_text()
    # Of the level, and of whether it is driven.
    assert len(re.findall(r"cell \\OFS1P3DX ", design)) == 2 * (outputs + both)
    assert len(re.findall(r"cell \\IFS1P3DX ", design)) == both
    assert "connect \\CLKOS " in design
