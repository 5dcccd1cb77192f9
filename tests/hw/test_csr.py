import random

import pytest
from hw.streams import simulate, small_config, ticks
from systolith_hw.axi import Response
from systolith_hw.csr import ControlStatusRegisters
from systolith_hw.registers import REGISTERS, identity

WIDTHS = {"control": 1, "ring_base": 20, "ring_size": 4, "ring_tail": 12, "irq_enable": 2}
"""Bits that can be written of every read-write register; of the ring's base not those within a slot."""

HOLES = range(len(REGISTERS) * 4, 256, 4)


def make():
    config = small_config(address_bits=WIDTHS["ring_base"])
    return config, ControlStatusRegisters(config)


class Manager:
    """AXI4-Lite manager that offers address and data in any order and takes answers when it likes."""

    def __init__(self, dut, seed, *, idle=0.0):
        self.dut, self.idle, self.random = dut, idle, random.Random(seed)

    async def read(self, ctx, address):
        """Return data and response; an answer must stand until it is taken."""
        dut = self.dut
        await self.pause(ctx)
        ctx.set(dut.s_axil_araddr, address)
        ctx.set(dut.s_axil_arvalid, 1)
        await self.wait(ctx, dut.s_axil_arready)
        ctx.set(dut.s_axil_arvalid, 0)
        ctx.set(dut.s_axil_araddr, self.random.randrange(256))
        return await self.take(ctx, dut.s_axil_rvalid, dut.s_axil_rready, dut.s_axil_rdata, dut.s_axil_rresp)

    async def write(self, ctx, address, value, strobe=0xF):
        """Return the response."""
        dut = self.dut
        await self.pause(ctx)
        late = self.random.choice(["aw", "w", None]) if self.idle else None
        for channel, values in (("aw", {"addr": address}), ("w", {"data": value, "strb": strobe})):
            for name, bits in values.items():
                ctx.set(getattr(dut, f"s_axil_{channel}{name}"), bits)
            ctx.set(getattr(dut, f"s_axil_{channel}valid"), channel != late)
        for _ in range(self.random.randint(1, 3) if late else 0):
            _, _, *ready, answered = await ctx.tick().sample(
                dut.s_axil_awready, dut.s_axil_wready, dut.s_axil_bvalid
            )
            assert not any(ready), "half a write was accepted"
            assert not answered
        ctx.set(dut.s_axil_awvalid, 1)
        ctx.set(dut.s_axil_wvalid, 1)
        await self.wait(ctx, dut.s_axil_awready & dut.s_axil_wready)
        ctx.set(dut.s_axil_awvalid, 0)
        ctx.set(dut.s_axil_wvalid, 0)
        (response,) = await self.take(ctx, dut.s_axil_bvalid, dut.s_axil_bready, dut.s_axil_bresp)
        return response

    async def pause(self, ctx):
        while self.random.random() < self.idle:
            await ctx.tick()

    async def wait(self, ctx, condition):
        for _ in range(20):
            if (await ctx.tick().sample(condition))[-1]:
                return
        raise AssertionError("the registers do not answer")

    async def take(self, ctx, valid, ready, *payload):
        """The answer is there one cycle after the request, and stands until it is taken."""
        first = None
        while True:
            accepted = self.random.random() >= self.idle
            ctx.set(ready, accepted)
            _, _, answered, *values = await ctx.tick().sample(valid, *payload)
            assert answered
            assert first is None or values == first
            first = values
            if accepted:
                ctx.set(ready, 0)
                return values


@pytest.mark.parametrize("idle", [0, 0.5])
def test_sim_identity(idle):
    config, dut = make()

    async def bench(ctx):
        bus = Manager(dut, seed=1, idle=idle)
        for name, value in identity(config).items():
            assert await bus.read(ctx, REGISTERS[name].offset) == [value, Response.OKAY]

    simulate(dut, bench)


@pytest.mark.parametrize("idle", [0, 0.5])
def test_sim_read_write(idle):
    """Random writes with random byte strobes; what is beyond a register's width reads as zero."""
    _, dut = make()
    outputs = {
        "control": dut.enable,
        "ring_base": dut.ring_base,
        "ring_size": dut.ring_size,
        "ring_tail": dut.ring_tail,
    }
    assert WIDTHS.keys() == {name for name, register in REGISTERS.items() if register.access == "rw"}

    async def bench(ctx):
        bus = Manager(dut, seed=2, idle=idle)
        values = dict.fromkeys(WIDTHS, 0)
        for _ in range(120):
            name = bus.random.choice(list(WIDTHS))
            value, strobe = bus.random.getrandbits(32), bus.random.choice([15, 0, bus.random.randrange(16)])
            assert await bus.write(ctx, REGISTERS[name].offset, value, strobe) == Response.OKAY
            mask = sum(0xFF << 8 * byte for byte in range(4) if strobe >> byte & 1)
            values[name] = (values[name] & ~mask | value & mask) & (1 << WIDTHS[name]) - 1
            values["ring_base"] &= -128
            for other, expected in values.items():
                if other == name or bus.random.random() < 0.1:
                    data = await bus.read(ctx, REGISTERS[other].offset)
                    assert data == [expected, Response.OKAY], other
                if other in outputs:
                    assert ctx.get(outputs[other]) == expected

    simulate(dut, bench)


def test_sim_errors():
    """SLVERR for every address without a register and for writes to read-only ones, which change nothing."""
    _, dut = make()

    async def bench(ctx):
        bus = Manager(dut, seed=3, idle=0.2)
        before = {}
        for name, register in REGISTERS.items():
            before[name] = await bus.read(ctx, register.offset)
            assert before[name][1] == Response.OKAY
        for address in HOLES:
            assert await bus.read(ctx, address) == [0, Response.SLVERR]
            assert await bus.write(ctx, address, 0xFFFFFFFF) == Response.SLVERR
        for register in REGISTERS.values():
            if register.access == "ro":
                assert await bus.write(ctx, register.offset, 0xFFFFFFFF) == Response.SLVERR
            elif register.access == "w1c":
                assert await bus.write(ctx, register.offset, 0) == Response.OKAY
        for name, register in REGISTERS.items():
            if name != "cycles":
                assert await bus.read(ctx, register.offset) == before[name]

    simulate(dut, bench)


def test_sim_reflected():
    """What the accelerator says is read back."""
    _, dut = make()

    async def bench(ctx):
        bus = Manager(dut, seed=4)
        ctx.set(dut.activity, 0xA5C3)
        ctx.set(dut.ring_head, 0x234)
        assert await bus.read(ctx, REGISTERS["activity"].offset) == [0xA5C3, Response.OKAY]
        assert await bus.read(ctx, REGISTERS["ring_head"].offset) == [0x234, Response.OKAY]
        assert await bus.read(ctx, REGISTERS["status"].offset) == [1, Response.OKAY]
        await bus.write(ctx, REGISTERS["ring_tail"].offset, 0x234)
        assert await bus.read(ctx, REGISTERS["status"].offset) == [0, Response.OKAY]

    simulate(dut, bench)


def test_sim_cycles():
    """Every cycle since reset counts."""
    _, dut = make()

    async def bench(ctx):
        bus = Manager(dut, seed=5)
        assert await bus.read(ctx, REGISTERS["cycles"].offset) == [0, Response.OKAY]
        await ticks(ctx, 100)
        assert await bus.read(ctx, REGISTERS["cycles"].offset) == [2 + 100, Response.OKAY]

    simulate(dut, bench)


@pytest.mark.parametrize("event", ["completion_interrupt", "record_fault"])
def test_sim_interrupt(event):
    """Pending without being enabled, raised when enabled, cleared by writing one to it alone."""
    _, dut = make()
    bit = {"completion_interrupt": 1, "record_fault": 2}[event]

    async def bench(ctx):
        bus = Manager(dut, seed=6)
        pending, enable = REGISTERS["irq_pending"].offset, REGISTERS["irq_enable"].offset
        status, where = REGISTERS["status"].offset, REGISTERS["fault_address"].offset
        ctx.set(getattr(dut, event), 1)
        ctx.set(dut.record_fault_address, 0xDEAD0040)
        await ctx.tick()
        ctx.set(getattr(dut, event), 0)
        ctx.set(dut.record_fault_address, 0)
        assert await bus.read(ctx, pending) == [bit, Response.OKAY]
        assert await bus.read(ctx, status) == [bit & 2, Response.OKAY]
        assert (await bus.read(ctx, where))[0] == (0xDEAD0040 if bit == 2 else 0)
        assert not ctx.get(dut.irq)
        await bus.write(ctx, enable, 3 - bit)
        assert not ctx.get(dut.irq)
        await bus.write(ctx, enable, bit)
        assert ctx.get(dut.irq)
        for value, strobe in ((3 - bit, 15), (3, 0b1110), (0, 15)):
            assert await bus.write(ctx, pending, value, strobe) == Response.OKAY
            assert ctx.get(dut.irq)
        for value, strobe in ((0xFFFFFFFD, 15), (2, 0b1110)):
            assert await bus.write(ctx, status, value, strobe) == Response.OKAY
        assert (await bus.read(ctx, status))[0] == bit & 2
        await bus.write(ctx, pending, bit)
        assert not ctx.get(dut.irq)
        assert (await bus.read(ctx, status))[0] == bit & 2, "the status is cleared on its own"
        await bus.write(ctx, status, 2)
        assert (await bus.read(ctx, status))[0] == 0

    simulate(dut, bench)


@pytest.mark.parametrize(
    "events", [("completion_interrupt",), ("record_fault",), ("completion_interrupt", "record_fault")]
)
def test_sim_event_while_cleared(events):
    """An event in the very cycle in which a write clears the last one is not lost."""
    _, dut = make()
    bits = sum({"completion_interrupt": 1, "record_fault": 2}[event] for event in events)

    async def bench(ctx):
        bus = Manager(dut, seed=7)
        for register in ("irq_pending", "status"):
            for cycle in range(2):
                for event in events:
                    ctx.set(getattr(dut, event), 1)
                if cycle:
                    ctx.set(dut.s_axil_awaddr, REGISTERS[register].offset)
                    ctx.set(dut.s_axil_wdata, 3)
                    ctx.set(dut.s_axil_wstrb, 15)
                    ctx.set(dut.s_axil_awvalid, 1)
                    ctx.set(dut.s_axil_wvalid, 1)
                    assert ctx.get(dut.s_axil_awready)
                await ctx.tick()
            for event in events:
                ctx.set(getattr(dut, event), 0)
            ctx.set(dut.s_axil_awvalid, 0)
            ctx.set(dut.s_axil_wvalid, 0)
            ctx.set(dut.s_axil_bready, 1)
            await ctx.tick()
            ctx.set(dut.s_axil_bready, 0)
            assert (await bus.read(ctx, REGISTERS["irq_pending"].offset))[0] == bits
            assert (await bus.read(ctx, REGISTERS["status"].offset))[0] == bits & 2

    simulate(dut, bench)


def test_sim_throughput():
    """An access a cycle, and reads beside writes."""
    _, dut = make()

    async def bench(ctx):
        for name, value in {"araddr": 0, "awaddr": REGISTERS["ring_size"].offset, "wstrb": 15}.items():
            ctx.set(getattr(dut, f"s_axil_{name}"), value)
        for name in ("arvalid", "awvalid", "wvalid", "rready", "bready"):
            ctx.set(getattr(dut, f"s_axil_{name}"), 1)
        for cycle in range(6):
            ctx.set(dut.s_axil_wdata, cycle)
            ready = (dut.s_axil_arready, dut.s_axil_awready, dut.s_axil_wready)
            _, _, *values = await ctx.tick().sample(*ready, dut.s_axil_rvalid, dut.s_axil_bvalid)
            assert values == [1, 1, 1, cycle > 0, cycle > 0]

    simulate(dut, bench)
