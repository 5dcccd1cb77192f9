"""Random AXI4 managers, and monitors of the bus rules, for Amaranth's simulator."""

import dataclasses

from amaranth.hdl import Cat
from hw.streams import ticks, until

FIELDS = {
    "aw": ("addr", "len", "size", "burst", "cache", "prot"),
    "w": ("data", "strb", "last"),
    "b": ("id", "resp"),
    "ar": ("addr", "len", "size", "burst", "cache", "prot"),
    "r": ("id", "data", "resp", "last"),
}
INCR = 1


@dataclasses.dataclass
class Burst:
    """A burst and what it must end with; ``beats`` of a write are pairs of data and strobe."""

    address: int
    size: int
    response: int
    beats: list
    kind: int = INCR

    def fields(self):
        return {"addr": self.address, "len": len(self.beats) - 1, "size": self.size, "burst": self.kind}


class Barrier:
    """Lets all parties through when the last has come."""

    def __init__(self, parties):
        self._parties = parties
        self._arrived = 0

    async def pass_through(self, ctx):
        self._arrived += 1
        goal = -(-self._arrived // self._parties) * self._parties
        while self._arrived < goal:
            await ctx.tick()


class Manager:
    """Writes and reads over the ports with one prefix, every channel with pauses of its own.

    ``phases`` holds pairs of the bursts to be written and those to be read meanwhile; a phase begins when
    all managers at a barrier have ended the one before.
    """

    CHANNELS = 5

    def __init__(self, dut, prefix, phases):
        self._dut, self._prefix, self._phases = dut, prefix, phases

    def _port(self, name):
        return getattr(self._dut, self._prefix + name)

    async def _send(self, ctx, channel, fields, rng, idle):
        while rng.random() < idle:
            await ctx.tick()
        for name, value in fields.items():
            ctx.set(self._port(channel + name), value)
        ctx.set(self._port(channel + "valid"), 1)
        await until(ctx, self._port(channel + "ready"))
        ctx.set(self._port(channel + "valid"), 0)

    async def _accept(self, ctx, channel, rng, stall):
        names = FIELDS[channel]
        while True:
            ready = rng.random() >= stall
            ctx.set(self._port(channel + "ready"), ready)
            ports = [self._port(channel + name) for name in names]
            _, _, valid, *values = await ctx.tick().sample(self._port(channel + "valid"), *ports)
            if valid and ready:
                ctx.set(self._port(channel + "ready"), 0)
                return dict(zip(names, values, strict=True))

    def benches(self, barrier, make_rng, *, idle, stall):
        """The testbenches of the five channels."""

        def bench(channel, handle, pause):
            async def run(ctx):
                rng = make_rng(channel)
                for writes, reads in self._phases:
                    for burst in writes if channel in ("aw", "w", "b") else reads:
                        await handle(ctx, channel, burst, rng, pause)
                    await barrier.pass_through(ctx)

            return run

        return [
            bench("aw", self._address, idle),
            bench("w", self._write_data, idle),
            bench("b", self._write_response, stall),
            bench("ar", self._address, idle),
            bench("r", self._read_data, stall),
        ]

    async def _address(self, ctx, channel, burst, rng, idle):
        await self._send(ctx, channel, burst.fields(), rng, idle)

    async def _write_data(self, ctx, channel, burst, rng, idle):
        for index, (data, strobe) in enumerate(burst.beats):
            last = index == len(burst.beats) - 1
            await self._send(ctx, channel, {"data": data, "strb": strobe, "last": last}, rng, idle)

    async def _write_response(self, ctx, channel, burst, rng, stall):
        came = await self._accept(ctx, channel, rng, stall)
        assert came["resp"] == burst.response, burst

    async def _read_data(self, ctx, channel, burst, rng, stall):
        for index, wanted in enumerate(burst.beats):
            came = await self._accept(ctx, channel, rng, stall)
            assert came["resp"] == burst.response, burst
            assert came["last"] == (index == len(burst.beats) - 1), burst
            assert burst.response or came["data"] == wanted, burst


def watch_offers(dut, prefix):
    """A background testbench: what is offered on any channel stands unchanged until it is accepted."""

    async def watch(ctx):
        before = {}
        while True:
            for channel, names in FIELDS.items():
                ports = [getattr(dut, prefix + channel + name) for name in names]
                valid = ctx.get(getattr(dut, f"{prefix}{channel}valid"))
                ready = ctx.get(getattr(dut, f"{prefix}{channel}ready"))
                payload = ctx.get(Cat(ports))
                if channel in before:
                    assert valid, f"{prefix}{channel}: an offer was withdrawn"
                    assert payload == before[channel], f"{prefix}{channel}: an offer was changed"
                before.pop(channel, None)
                if valid and not ready:
                    before[channel] = payload
            await ticks(ctx, 1)

    return watch
