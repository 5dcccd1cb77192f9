"""The serial line at the level of bits."""

import random

import pytest
from hw.streams import simulate, ticks
from systolith_hw.baud import baud_error, bit_period
from systolith_hw.board.uart import UartReceiver, UartTransmitter

PERIODS = [4.0, 5.5, 8.68, 104.1875]
"""Cycles per bit."""


def levels(octets, period, *, gap=0):
    """The line's level in each cycle for bytes whose bits last so many cycles, then some idle ones."""
    edges = [1] * 3
    time = 0.0
    for octet in octets:
        for bit in [0, *(octet >> i & 1 for i in range(8)), 1, *[1] * gap]:
            time += period
            edges += [bit] * (round(time) + 3 - len(edges))
    return edges + [1] * (3 * round(period) + 10)


def receive(period, line):
    """The bytes received, and the number of errors."""
    dut = UartReceiver(period=round(256 * period))
    octets, errors = [], 0

    async def bench(ctx):
        nonlocal errors
        for level in line:
            ctx.set(dut.rx, level)
            _, _, valid, octet, error = await ctx.tick().sample(dut.bytes.valid, dut.bytes.payload, dut.error)
            if valid:
                octets.append(octet)
            errors += error

    simulate(dut, bench, limit=len(line) + 10)
    return octets, errors


@pytest.mark.parametrize("period", PERIODS)
@pytest.mark.parametrize("skew", [-0.02, 0, 0.02])
@pytest.mark.parametrize("gap", [0, 3])
def test_sim_receive(period, skew, gap):
    """Bytes arrive from a sender whose clock is two percent off."""
    octets = [0x00, 0xFF, 0x55, 0xAA, *random.Random(1).randbytes(12)]
    assert receive(period, levels(octets, period * (1 + skew), gap=gap)) == (octets, 0)


@pytest.mark.parametrize("period", [5.5, 16.0])
def test_sim_receive_ignores_spikes(period):
    spike = [1] * 20 + [0] * int(period / 2 - 1) + [1] * 20 + levels([0x5A], period)
    assert receive(period, spike) == ([0x5A], 0)


def test_sim_receive_corrects_one_sample():
    """A bit is the majority of three samples: no single cycle in the middle of a byte can change it."""
    for cycle in range(4 * 8, 6 * 8):
        line = levels([0x0F], 8.0)
        line[3 + cycle] ^= 1
        assert receive(8.0, line) == ([0x0F], 0), cycle


def test_sim_receive_break():
    """A line that stays low is one error, however long, and bytes are received again when it was high."""
    line = levels([0x12], 8.0) + [0] * 8 * 30 + levels([0x34], 8.0)
    assert receive(8.0, line) == ([0x12, 0x34], 1)


@pytest.mark.parametrize("period", PERIODS)
@pytest.mark.parametrize("pause", [0, 7])
def test_sim_transmit(period, pause):
    """Bits last as long as they must, on average, with at most a cycle of jitter."""
    dut = UartTransmitter(period=round(256 * period))
    octets = [0x00, 0xFF, 0x55, 0xAA, *random.Random(2).randbytes(6)]
    starts, line = [], []

    async def feed(ctx):
        for octet in octets:
            ctx.set(dut.bytes.payload, octet)
            ctx.set(dut.bytes.valid, 1)
            while not (await ctx.tick().sample(dut.bytes.ready))[-1]:
                pass
            starts.append(len(line))
            ctx.set(dut.bytes.valid, 0)
            await ticks(ctx, pause)
        await ticks(ctx, round(11 * period))

    async def watch(ctx):
        while True:
            _, _, level = await ctx.tick().sample(dut.tx)
            line.append(level)

    simulate(dut, feed, background=[watch], limit=len(octets) * round(12 * period + 20))
    for start, octet in zip(starts, octets, strict=True):
        begin = start + next(i for i, level in enumerate(line[start:]) if not level)
        centres = [line[begin + int((bit + 0.5) * period)] for bit in range(10)]
        assert centres == [0, *(octet >> i & 1 for i in range(8)), 1]
    if not pause:
        assert abs((starts[-1] - starts[1]) - 10 * period * (len(octets) - 2)) <= 2


def test_bit_period():
    assert bit_period(4_000_000, 1_000_000) == 4 << 8
    assert bit_period(25_000_000, 115_200) == round(256 * 25e6 / 115200)
    assert abs(baud_error(4_000_001, 999_983)) <= 1 / 2048


@pytest.mark.parametrize("baud", [1_001_000, 61, 1])
def test_bit_period_wrong(baud):
    message = f"^baud must be from 62 to 1000000 with a clock of 4000000 Hz, not {baud}$"
    with pytest.raises(ValueError, match=message):
        bit_period(4_000_000, baud)
