"""The board's own registers."""

import itertools
import random

import pytest
from hw.streams import simulate, ticks
from systolith_hw.board import board_registers
from systolith_hw.board.board_registers import BoardRegisters
from systolith_hw.link import BOARD_REGISTERS, DROPPED_BITS, LINK_MAGIC, LINK_VERSION, BoardControl

FACTS = {"memory_bytes": 0x12345678, "clock_hz": 30_000_000, "baud": 999_999, "queue_bytes": 1 << 11}
CONSTANT = FACTS | {"id": LINK_MAGIC, "version": LINK_VERSION}
RESET_CYCLES = 16
OKAY, SLVERR = 0, 2
CONTROL = BOARD_REGISTERS["control"].offset


def make():
    return BoardRegisters(**FACTS, reset_cycles=RESET_CYCLES)


def counting(dut):
    """Counts the cycles."""

    async def count(ctx):
        for cycle in itertools.count():
            ctx.set(dut.cycles, cycle % RESET_CYCLES)
            await ctx.tick()

    return count


async def access(ctx, dut, address, data=None):
    """Response, what was read, and how many cycles it took."""
    ctx.set(dut.access.address, address)
    ctx.set(dut.access.write, data is not None)
    ctx.set(dut.access.data, data or 0)
    ctx.set(dut.access.request, 1)
    done, cycles = 0, 0
    while not done:
        sampled = dut.access.done, dut.access.response, dut.access.read_data
        _, _, done, response, read = await ctx.tick().sample(*sampled)
        cycles += 1
    ctx.set(dut.access.request, 0)
    return response, read, cycles


def test_sim_facts():
    """What never changes is read byte by byte, and is zero in the word; all else is no fact."""
    dut = make()

    async def bench(ctx):
        for address in range(0, 256, 4):
            names = [name for name in CONSTANT if BOARD_REGISTERS[name].offset == address]
            expected = CONSTANT[names[0]] if names else 0
            ctx.set(dut.access.address, address)
            octets = bytearray()
            for part in range(4):
                ctx.set(dut.part, part)
                octets.append(ctx.get(dut.fact))
            assert int.from_bytes(octets, "little") == expected, hex(address)
            if names:
                assert await access(ctx, dut, address) == (OKAY, 0, 2)
            assert not ctx.get(dut.access.read_data)

    simulate(dut, bench)


def test_sim_responses():
    """Every register is read and only one is written; nothing else is there, and nothing else resets."""
    dut = make()
    offsets = {register.offset for register in BOARD_REGISTERS.values()}

    async def bench(ctx):
        for address in range(0, 256, 4):
            response, _, cycles = await access(ctx, dut, address)
            assert (response, cycles) == (OKAY if address in offsets else SLVERR, 2)
            data = -1 if address != CONTROL else -1 & ~BoardControl.RESET
            response, _, cycles = await access(ctx, dut, address, data & 0xFFFFFFFF)
            assert (response, cycles) == (OKAY if address == CONTROL else SLVERR, 2)

    async def watch(ctx):
        while True:
            assert not ctx.get(dut.reset)
            await ctx.tick()

    simulate(dut, bench, background=[watch])


def test_sim_dropped(monkeypatch):
    """Every cycle with a dropped request counts, modulo what the register holds."""
    assert DROPPED_BITS == 8
    monkeypatch.setattr(board_registers, "DROPPED_BITS", 6)
    dut = make()
    offset = BOARD_REGISTERS["dropped"].offset

    async def bench(ctx):
        rng = random.Random(1)
        dropped = 0
        for _ in range(100):
            value = rng.getrandbits(1)
            ctx.set(dut.dropped, value)
            assert await access(ctx, dut, offset) == (OKAY, (dropped + value) % 64, 2)
            dropped += 2 * value
        assert dropped > 64 // 2
        ctx.set(dut.dropped, 1)
        await ticks(ctx, 64 - 10)
        ctx.set(dut.dropped, 0)
        assert (await access(ctx, dut, offset))[1] == (dropped - 10) % 64

    simulate(dut, bench)


def test_sim_state():
    """The interrupt is what it is now; a fault stays until a reset."""
    dut = make()
    offset = BOARD_REGISTERS["state"].offset

    async def bench(ctx):
        for interrupt in (1, 0, 1):
            ctx.set(dut.interrupt, interrupt)
            assert (await access(ctx, dut, offset))[1] == interrupt
        ctx.set(dut.bus_error, 1)
        await ctx.tick()
        ctx.set(dut.bus_error, 0)
        for _ in range(3):
            assert (await access(ctx, dut, offset))[1] == 3
            assert ctx.get(dut.fault)
        await access(ctx, dut, CONTROL, ~BoardControl.RESET & 0xFFFFFFFF)
        assert (await access(ctx, dut, offset))[1] == 3
        await access(ctx, dut, CONTROL, BoardControl.RESET)
        assert (await access(ctx, dut, offset))[1] == 1

    simulate(dut, bench, background=[counting(dut)])


@pytest.mark.parametrize("pause", [0, 1])
def test_sim_reset(pause):
    """A reset lasts as long as is said, or up to twice that, and no longer than its access."""
    dut = make()
    lengths, taken = [], []

    async def watch(ctx):
        length = 0
        async for _, _, reset, done in ctx.tick().sample(dut.reset, dut.access.done):
            length += reset
            if done:
                lengths.append(length)
                length = 0

    async def bench(ctx):
        for start in range(2 * RESET_CYCLES):
            await ticks(ctx, start)
            response, _, cycles = await access(ctx, dut, CONTROL, BoardControl.RESET)
            assert response == OKAY
            taken.append(cycles)
            for _ in range(pause):
                assert not ctx.get(dut.reset)
                await ctx.tick()

    simulate(dut, bench, background=[counting(dut), watch])
    assert lengths == [cycles - 1 for cycles in taken]
    assert RESET_CYCLES <= min(lengths) <= max(lengths) <= 2 * RESET_CYCLES
    assert max(lengths) > min(lengths) + RESET_CYCLES // 2
