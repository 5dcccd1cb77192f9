"""Requests from bytes of the line, and responses to them."""

import itertools
import random
import struct
import zlib

import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped
from hw.streams import STALLS, simulate, ticks, until
from systolith_hw.board.frame_queue import FrameQueue
from systolith_hw.board.frame_receiver import FrameReceiver
from systolith_hw.board.frame_transmitter import FrameTransmitter

PACE_CYCLES = 9
"""Of the check: eight bits after the cycle that a byte takes."""


class Receiver(wiring.Component):
    """The receiver and the queue behind it."""

    def __init__(self, *, idle_cycles, depth):
        self._parts = FrameReceiver(idle_cycles=idle_cycles), FrameQueue(depth=depth)
        super().__init__(
            {
                "bytes": In(stream.Signature(8)),
                "error": In(1),
                "dropped": Out(1),
                "requests": Out(stream.Signature(8)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.frames, m.submodules.queue = frames, queue = self._parts
        connect(m, flipped(self.bytes), frames.bytes)
        connect(m, queue.bytes, flipped(self.requests))
        cycles = Signal(32)
        m.d.sync += cycles.eq(cycles + 1)
        m.d.comb += [
            frames.error.eq(self.error),
            frames.cycles.eq(cycles),
            frames.full.eq(queue.full),
            self.dropped.eq(frames.dropped),
        ]
        for name in ("write", "data", "commit", "rewind"):
            m.d.comb += getattr(queue, name).eq(getattr(frames, name))
        return m


def make_request(rng, nbytes, *, write):
    """A frame, and what of it is kept."""
    operation, sequence, address = write << 7 | rng.randrange(4), rng.getrandbits(16), rng.getrandbits(32)
    kept = struct.pack("<BBHI", operation, nbytes - 1, sequence, address)
    frame = b"\xa5" + kept + struct.pack("<I", zlib.crc32(kept))
    if not write:
        return frame, kept
    kept += rng.randbytes(nbytes)
    return frame + kept[8:] + struct.pack("<I", zlib.crc32(kept)), kept


def receive(sent, *, idle=0, stall=0, idle_cycles=1000, depth=1024, gaps=()):
    """What is let through of these bytes, and how many requests were dropped."""
    dut = Receiver(idle_cycles=idle_cycles, depth=depth)
    heard = bytearray()
    dropped = []

    async def send(ctx):
        rng = random.Random("send")
        for index, octet in enumerate(sent):
            await ticks(ctx, dict(gaps).get(index, 0))
            while rng.random() < idle:
                await ctx.tick()
            ctx.set(dut.bytes.payload, octet)
            ctx.set(dut.bytes.valid, 1)
            await until(ctx, dut.bytes.ready)
            ctx.set(dut.bytes.valid, 0)
        await ticks(ctx, 1000)

    async def hear(ctx):
        rng = random.Random("hear")
        while True:
            ready = rng.random() >= stall
            ctx.set(dut.requests.ready, ready)
            _, _, valid, octet = await ctx.tick().sample(dut.requests.valid, dut.requests.payload)
            if valid and ready:
                heard.append(octet)

    async def count(ctx):
        async for _, _, is_dropped in ctx.tick().sample(dut.dropped):
            dropped.append(is_dropped)

    simulate(dut, send, background=[hear, count], limit=200_000)
    return bytes(heard), sum(dropped)


@pytest.mark.parametrize(("idle", "stall"), STALLS)
def test_sim_receive(idle, stall):
    """Whole requests pass, of whatever size, at the pace of the check."""
    rng = random.Random(1)
    frames = [
        make_request(rng, nbytes, write=write)
        for nbytes in (1, 2, 4, 255, 256, rng.randint(1, 256))
        for write in (False, True)
    ]
    rng.shuffle(frames)
    heard, dropped = receive(b"".join(frame for frame, _ in frames), idle=idle, stall=stall, depth=2048)
    assert (heard, dropped) == (b"".join(kept for _, kept in frames), 0)


def test_sim_receive_damaged():
    """A request of which any bit is wrong is dropped, and those round it are not."""
    rng = random.Random(2)
    frame, kept = make_request(rng, 3, write=True)
    assert 0xA5 not in frame[1:]
    sent, bits = bytearray(frame), range(8, 8 * len(frame))
    for bit in bits:
        wrong = bytearray(frame)
        wrong[bit // 8] ^= 1 << bit % 8
        # What follows a header that is wrong may look like a start byte, but begins nothing that is whole.
        sent += wrong + bytes(20) + frame
    heard, dropped = receive(sent)
    assert heard == (1 + len(bits)) * kept
    assert dropped >= len(bits)


@pytest.mark.parametrize("idle_cycles", [100, 128])
@pytest.mark.parametrize("index", [1, 2, 8, 9, 12, 13, 14, 16, 19])
def test_sim_receive_late(index, idle_cycles):
    """A byte may be as late as is said, whenever that begins, and not by more than a quarter later."""
    frame, kept = make_request(random.Random(3), 3, write=True)
    in_time = idle_cycles - PACE_CYCLES
    begin = random.Random(index).randrange(idle_cycles)
    gaps = [(0, begin), (index, in_time)]
    assert receive(frame, idle_cycles=idle_cycles, gaps=gaps) == (kept, 0)
    gaps = [(0, begin), (index, idle_cycles * 5 // 4 + PACE_CYCLES)]
    assert receive(frame + frame, idle_cycles=idle_cycles, gaps=gaps) == (kept, 1)


def test_sim_receive_full():
    """What does not fit is dropped, and what does is not."""
    frames = [make_request(random.Random(index), 256, write=True) for index in range(4)]
    fit = sum(len(kept) for _, kept in frames[:3])
    # Behind the queue there is room for one byte.
    last, _ = make_request(random.Random(5), 1024 - fit + 1 - 8, write=True)
    sent = b"".join(frame for frame, _ in frames)
    for extra, dropped in ((last, 1), (last + make_request(random.Random(6), 1, write=False)[0], 2)):
        assert receive(sent + extra, stall=1, depth=1024) == (b"", dropped)


@pytest.mark.parametrize(("idle", "stall"), STALLS)
def test_sim_transmit(idle, stall):
    """Responses get start byte and check."""
    rng = random.Random(4)
    responses = [rng.randbytes(nbytes) for nbytes in (1, 6, 7, 262, 5)]
    wanted = b"".join(b"\x5a" + each + struct.pack("<I", zlib.crc32(each)) for each in responses)
    dut = FrameTransmitter()
    heard = bytearray()
    cycles = []

    async def give(ctx):
        for each in responses:
            for index, octet in enumerate(each):
                while rng.random() < idle:
                    await ctx.tick()
                ctx.set(dut.response.payload.data, octet)
                ctx.set(dut.response.payload.last, index == len(each) - 1)
                ctx.set(dut.response.valid, 1)
                await until(ctx, dut.response.ready)
                ctx.set(dut.response.valid, 0)

    async def hear(ctx):
        stalls = random.Random(5)
        cycle = 0
        while len(heard) < len(wanted):
            ready = stalls.random() >= stall
            ctx.set(dut.bytes.ready, ready)
            _, _, valid, octet = await ctx.tick().sample(dut.bytes.valid, dut.bytes.payload)
            cycle += 1
            if valid and ready:
                heard.append(octet)
                cycles.append(cycle)

    simulate(dut, give, hear, limit=50_000)
    assert heard == wanted
    if not idle and not stall:
        assert max(b - a for a, b in itertools.pairwise(cycles)) == PACE_CYCLES
