"""Single accesses over AXI4 and AXI4-Lite, to a subordinate with pauses of its own on every channel."""

import random

import pytest
from hw.streams import STALLS, simulate, ticks
from systolith_hw.axi import axi4_manager_ports, axi_lite_subordinate_ports
from systolith_hw.board.bus_access import BusAccess

BUSES = ["axi4-32", "axi4-64", "lite"]
OFFERED = {
    "aw": ("addr", "burst", "size", "len", "cache", "id"),
    "w": ("data", "strb", "last"),
    "ar": ("addr", "burst", "size", "len", "cache", "id"),
}


def make(bus):
    """The component, and how many bits its data have."""
    if bus == "lite":
        ports = axi_lite_subordinate_ports(prefix="m_", address_bits=8)
        ports = {name: member.flip() for name, member in ports.items()}
        return BusAccess(ports=ports, prefix="m_", data_bits=32), 32
    data_bits = int(bus.removeprefix("axi4-"))
    ports = axi4_manager_ports(prefix="m_", data_bits=data_bits, address_bits=16)
    return BusAccess(ports=ports, prefix="m_", data_bits=data_bits), data_bits


class Subordinate:
    """Takes what is offered when it likes, and answers after that with what ``answers`` says."""

    def __init__(self, dut, answers, *, stall):
        self._dut, self._answers, self._stall = dut, iter(answers), stall
        self.taken = []

    def port(self, name):
        return getattr(self._dut, "m_" + name)

    def _fields(self, channel):
        names = (name for name in OFFERED[channel] if hasattr(self._dut, f"m_{channel}{name}"))
        return {name: self.port(channel + name) for name in names}

    def take(self, channel):
        """A testbench that takes what one channel offers, which must stand until then."""

        async def bench(ctx):
            rng = random.Random(channel)
            fields = self._fields(channel)
            before = None
            while True:
                ready = rng.random() >= self._stall
                ctx.set(self.port(f"{channel}ready"), ready)
                valid_port = self.port(f"{channel}valid")
                _, _, valid, *values = await ctx.tick().sample(valid_port, *fields.values())
                assert before is None or (valid and values == before), f"{channel}: an offer changed"
                before = values if valid and not ready else None
                if valid and ready:
                    self.taken.append((channel, dict(zip(fields, values, strict=True))))

        return bench

    async def answer(self, ctx):
        """A testbench that answers when all of an access has been taken."""
        rng = random.Random("answer")
        while True:
            channels = {channel for channel, _ in self.taken}
            kind = "r" if channels == {"ar"} else "b" if channels == {"aw", "w"} else None
            if kind is None:
                await ctx.tick()
                continue
            assert len(self.taken) == len(channels), "taken twice"
            while rng.random() < self._stall:
                await ctx.tick()
            response, data = next(self._answers)
            ctx.set(self.port(f"{kind}resp"), response)
            if kind == "r":
                ctx.set(self.port("rdata"), data)
            ctx.set(self.port(f"{kind}valid"), 1)
            accepted = 0
            while not accepted:
                _, _, accepted = await ctx.tick().sample(self.port(f"{kind}ready"))
            ctx.set(self.port(f"{kind}valid"), 0)
            ctx.set(self.port(f"{kind}resp"), rng.getrandbits(2))


@pytest.mark.parametrize(("idle", "stall"), STALLS)
@pytest.mark.parametrize("bus", BUSES)
def test_sim_accesses(bus, idle, stall):
    """Each access is one transaction with what was asked for, and its answer is the transaction's."""
    dut, data_bits = make(bus)
    address_bits = len(dut.access.address)
    rng = random.Random(bus)
    answers = [(rng.choice([0, 0, 2, 3]), rng.getrandbits(data_bits)) for _ in range(80)]
    subordinate = Subordinate(dut, answers, stall=stall)

    async def ask(ctx):
        access = dut.access
        for response, read_data in answers:
            while rng.random() < idle:
                await ctx.tick()
            asked = {
                "write": rng.getrandbits(1),
                "address": rng.getrandbits(address_bits),
                "data": rng.getrandbits(data_bits),
                "strobe": rng.getrandbits(data_bits // 8),
            }
            for name, value in asked.items():
                ctx.set(getattr(access, name), value)
            ctx.set(access.request, 1)
            done = 0
            while not done:
                sampled = access.done, access.response, access.read_data
                _, _, done, *answer = await ctx.tick().sample(*sampled)
            ctx.set(access.request, 0)
            assert answer[0] == response
            assert asked["write"] or answer[1] == read_data
            check(asked, subordinate.taken, data_bits, lite=bus == "lite")
            subordinate.taken.clear()
            if rng.random() < 0.5:
                await ctx.tick()
                assert not ctx.get(access.done)

    background = [subordinate.take(channel) for channel in OFFERED]
    simulate(dut, ask, background=[*background, subordinate.answer])


def check(asked, taken, data_bits, *, lite):
    """The bus saw what was asked for, once, as a burst of one beat."""
    taken = dict(taken)
    address = {"addr": asked["address"]}
    if not lite:
        address |= {"burst": 1, "size": {32: 2, 64: 3}[data_bits], "len": 0, "cache": 0b0011, "id": 0}
    if asked["write"]:
        data = {"data": asked["data"], "strb": asked["strobe"]} | ({} if lite else {"last": 1})
        assert taken == {"aw": address, "w": data}
    else:
        assert taken == {"ar": address}


@pytest.mark.parametrize("bus", BUSES)
def test_sim_no_request(bus):
    """Nothing is offered that was not asked for, whatever the subordinate would take."""
    dut, _ = make(bus)
    rng = random.Random(2)

    async def bench(ctx):
        for _ in range(50):
            for name in ("write", "address", "data", "strobe"):
                ctx.set(getattr(dut.access, name), rng.getrandbits(8))
            for name in ("awready", "wready", "arready"):
                ctx.set(getattr(dut, f"m_{name}"), rng.getrandbits(1))
            assert not any(ctx.get(getattr(dut, f"m_{name}valid")) for name in ("aw", "w", "ar"))
            assert not ctx.get(dut.access.done)
            await ticks(ctx, 1)

    simulate(dut, bench)
