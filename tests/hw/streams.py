"""Drivers and monitors for Amaranth's simulator, every wait bounded."""

import random

from amaranth.hdl import Value
from amaranth.sim import Simulator
from systolith_hw.config import ArrayConfig

STALLS = [(0, 0), (0, 0.6), (0.6, 0), (0.4, 0.4)]
"""Idle × back-pressure: the probability that a cycle passes without an offer, without an acceptance."""


def small_config(**overrides):
    """A tiny array, with buffers just large enough for it unless told otherwise."""
    values = {"rows": 4, "columns": 4, "accumulator_rows": 8, "burst_bytes": 4, "outstanding": 4} | overrides
    config = ArrayConfig(**{"a_buffer_lines": 16384, "b_buffer_lines": 16384} | values)
    panel = max(config.columns * config.burst_lines, config.rows, config.parameter_lines)
    smallest = {
        "a_buffer_lines": max(4, 2 * config.burst_lines),
        "b_buffer_lines": 1 << max(2, (2 * panel - 1).bit_length()),
    }
    return ArrayConfig(**smallest | values)


def simulate(dut, *benches, background=(), limit=20_000):
    """Run testbenches to their ends, in ``limit`` cycles at most."""
    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    failures = []

    def caught(bench):
        # The simulator must not be left by an exception before every testbench has started.
        async def run(ctx):
            try:
                await bench(ctx)
            except Exception as failure:  # noqa: BLE001 (raised again below)
                failures.append(failure)

        return run

    async def watchdog(ctx):
        await ticks(ctx, limit)
        raise AssertionError(f"still running after {limit} cycles")

    for bench in benches:
        simulator.add_testbench(caught(bench))
    for bench in (*background, watchdog):
        simulator.add_testbench(caught(bench), background=True)
    while simulator.advance() and not failures:
        pass
    if failures:
        raise failures[0]


def trace(dut, stimuli, outputs):
    """Apply one dict of inputs a cycle; return one dict of the raw outputs a cycle, seen in that cycle."""
    seen = []
    signals = {name: Value.cast(getattr(dut, name)) for name in outputs}

    async def bench(ctx):
        for stimulus in stimuli:
            for name, value in stimulus.items():
                ctx.set(getattr(dut, name), value)
            _, _, *values = await ctx.tick().sample(*signals.values())
            seen.append(dict(zip(signals, values, strict=True)))

    simulate(dut, bench, limit=len(stimuli) + 10)
    return seen


def signed(value, bits):
    """The number in two's complement whose low bits are ``value``'s."""
    value &= (1 << bits) - 1
    return value - (value >> (bits - 1) << bits)


def lanes(raw, bits, count):
    """The signed lanes of a raw array."""
    return [signed(raw >> bits * lane, bits) for lane in range(count)]


def members(value):
    """A structure constant as a dict of integers, enumerations included."""
    return {name: getattr(value[name], "value", value[name]) for name in value.shape().members}


async def ticks(ctx, count):
    """Let cycles pass. One-shot waits only: others cannot be abandoned when a test ends."""
    for _ in range(count):
        await ctx.tick()


async def until(ctx, condition):
    """Let cycles pass up to and including the first in which a condition holds."""
    while not (await ctx.tick().sample(condition))[-1]:
        pass


async def offer(ctx, port, payload, *, rng, idle):
    """Offer a payload until it is accepted, after a random while."""
    while rng.random() < idle:
        await ctx.tick()
    ctx.set(port.payload, payload)
    ctx.set(port.valid, 1)
    await until(ctx, port.ready)
    ctx.set(port.valid, 0)


async def drive(ctx, port, payloads, *, rng, idle):
    """Offer payloads one after the other."""
    for payload in payloads:
        await offer(ctx, port, payload, rng=rng, idle=idle)


async def accept(ctx, port, *, rng, stall, sticky=True, sample=()):
    """Accept one payload; return it, a structure as a dict, and what is sampled in the same cycle.

    An offer must stand unchanged until it is accepted. Without ``sticky`` it may be withdrawn.
    """
    raw = Value.cast(port.payload)
    offered = None
    while True:
        ready = rng.random() >= stall
        ctx.set(port.ready, ready)
        _, _, valid, payload, *others = await ctx.tick().sample(port.valid, raw, *sample)
        if offered is not None:
            assert valid or not sticky, "an offer was withdrawn"
            assert not valid or payload == offered, "an offer was changed"
        offered = payload if valid else None
        if valid and ready:
            break
    ctx.set(port.ready, 0)
    shape = port.payload.shape()
    if hasattr(shape, "from_bits"):
        payload = members(shape.from_bits(payload))
    return (payload, *others) if sample else payload


async def collect(ctx, port, count, *, rng, stall, sticky=True):
    """Accept so many payloads."""
    return [await accept(ctx, port, rng=rng, stall=stall, sticky=sticky) for _ in range(count)]


def pipe(dut, source, sink, payloads, count, *, seed, idle, stall, limit=20_000):
    """Send payloads into one stream of a component and return the ``count`` that come out of another."""
    received = []

    async def feed(ctx):
        await drive(ctx, source, payloads, rng=random.Random(seed), idle=idle)

    async def take(ctx):
        received.extend(await collect(ctx, sink, count, rng=random.Random(seed + 1), stall=stall))
        for _ in range(8):
            _, _, valid = await ctx.tick().sample(sink.valid)
            assert not valid, "more came out than was expected"

    simulate(dut, feed, take, limit=limit)
    return received
