"""iCE40's SPRAM, with a model of the block in Amaranth's simulator."""

import random

import pytest
from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out
from hw.board.managers import Barrier, Burst, Manager, watch_offers
from hw.streams import STALLS, simulate
from systolith_hw.vendor import ice40
from systolith_hw.vendor.ice40 import SpramRam, SpramStore

BLOCK_WORDS = 16384
BLOCK_BITS = 16
OKAY, DECERR = 0, 3


class Block(wiring.Component):
    """An SB_SPRAM256KA, of which everything reads inverted that is undefined: what is read after a write."""

    def __init__(self):
        super().__init__(
            {
                "ADDRESS": In(14),
                "DATAIN": In(BLOCK_BITS),
                "MASKWREN": In(4),
                "WREN": In(1),
                "CHIPSELECT": In(1),
                "DATAOUT": Out(BLOCK_BITS),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.words = words = memory.Memory(shape=BLOCK_BITS, depth=BLOCK_WORDS, init=[])
        read, write = words.read_port(), words.write_port(granularity=4)
        is_written = Signal()
        with m.If(self.CHIPSELECT):
            m.d.sync += is_written.eq(self.WREN)
            with m.If(self.WREN):
                m.d.comb += write.en.eq(self.MASKWREN)
        m.d.comb += [
            Cat(read.addr, write.addr).eq(self.ADDRESS.replicate(2)),
            read.en.eq(self.CHIPSELECT),
            write.data.eq(self.DATAIN),
            self.DATAOUT.eq(read.data ^ is_written.replicate(BLOCK_BITS)),
        ]
        return m


@pytest.fixture
def blocks(monkeypatch):
    """The blocks that are made, as models."""
    made = []

    def instance(kind, *, i_CLOCK, i_STANDBY, i_SLEEP, i_POWEROFF, o_DATAOUT, **inputs):
        assert (kind, i_STANDBY.value, i_SLEEP.value, i_POWEROFF.value) == ("SB_SPRAM256KA", 0, 0, 1)
        m = Module()
        m.submodules.block = block = Block()
        m.d.comb += o_DATAOUT.eq(block.DATAOUT)
        m.d.comb += [getattr(block, name.removeprefix("i_")).eq(value) for name, value in inputs.items()]
        made.append(block)
        return m

    monkeypatch.setattr(ice40, "Instance", instance)
    return made


@pytest.mark.parametrize("data_bits", [16, 32, 64])
@pytest.mark.parametrize("depth", [BLOCK_WORDS // 2, BLOCK_WORDS, 2 * BLOCK_WORDS + 4, 4 * BLOCK_WORDS])
def test_sim_store(blocks, data_bits, depth):
    """Every word is there once, is written byte by byte, and stays at the output until the next access."""
    rng = random.Random(depth + data_bits)
    dut = SpramStore(data_bits=data_bits, depth=depth)
    ends = {0, depth - 1, *(end + near for end in range(BLOCK_WORDS, depth, BLOCK_WORDS) for near in (-1, 0))}
    # Words that differ in one bit of their address, on either side of every boundary between blocks.
    places = sorted({end ^ 1 << bit for end in ends for bit in range(17) if end ^ 1 << bit < depth} | ends)
    words = dict.fromkeys(places, 0)

    async def access(ctx, place, data=0, strobe=0):
        ctx.set(dut.enable, 1)
        ctx.set(dut.address, place)
        ctx.set(dut.write_data, data)
        ctx.set(dut.write_strobe, strobe)
        await ctx.tick()
        ctx.set(dut.enable, 0)

    async def bench(ctx):
        for place in places:
            words[place] = rng.getrandbits(data_bits)
            await access(ctx, place, words[place], -1)
        for _ in range(1000):
            place = rng.choice(places)
            data, strobe = rng.getrandbits(data_bits), rng.getrandbits(data_bits // 8)
            if strobe and rng.random() < 0.4:
                await access(ctx, place, data, strobe)
                kept = sum(0xFF << 8 * lane for lane in range(data_bits // 8) if not strobe >> lane & 1)
                words[place] = words[place] & kept | data & ~kept
                continue
            await access(ctx, place)
            for _ in range(rng.choice([1, 1, 3])):
                assert ctx.get(dut.read_data) == words[place], place
                # Whatever is asked for meanwhile.
                ctx.set(dut.address, rng.choice(places))
                ctx.set(dut.write_strobe, rng.getrandbits(data_bits // 8))
                await ctx.tick()

    simulate(dut, bench)
    assert len(blocks) == -(-depth // BLOCK_WORDS) * data_bits // BLOCK_BITS


@pytest.mark.parametrize(("idle", "stall"), STALLS)
def test_sim_ram(blocks, idle, stall):
    """Bursts and single words on both sides of the boundary between blocks, at the ends, and beyond."""
    memory_bytes = 4 * 2 * BLOCK_WORDS
    edges = [0, memory_bytes // 2 - 64, memory_bytes // 2, memory_bytes - 64]
    rng = random.Random(1)
    octets = {}

    def write(address, beats):
        burst = Burst(address, 2, OKAY, [])
        for beat in range(beats):
            data, strobe = rng.getrandbits(32), rng.choice([15, 15, rng.getrandbits(4)])
            burst.beats.append((data, strobe))
            for lane in range(4):
                if strobe >> lane & 1:
                    octets[address + 4 * beat + lane] = data >> 8 * lane & 0xFF
        return burst

    def word(address):
        return sum(octets.get(address + lane, 0) << 8 * lane for lane in range(4))

    def read(address, beats):
        return Burst(address, 2, OKAY, [word(address + 4 * beat) for beat in range(beats)])

    # Of each edge's sixteen words, bursts write eight, others read four meanwhile, and four are left.
    fill = [write(edge, 16) for edge in edges]
    writes = [write(edge + 4 * rng.randrange(4), rng.randint(1, 4)) for edge in 8 * edges]
    reads = [read(edge + 32 + 4 * rng.randrange(2), rng.randint(1, 3)) for edge in 8 * edges]
    outside = [Burst(memory_bytes, 2, DECERR, [(0, 15)])]
    everything = [read(edge, 16) for edge in edges]
    dut = SpramRam(memory_bytes=memory_bytes, data_bits=32)
    barrier = Barrier(Manager.CHANNELS + 1)

    async def access(ctx, address, data=None):
        ctx.set(dut.access.address, address)
        ctx.set(dut.access.write, data is not None)
        ctx.set(dut.access.data, data or 0)
        ctx.set(dut.access.strobe, 15)
        ctx.set(dut.access.request, 1)
        done = 0
        while not done:
            sampled = dut.access.done, dut.access.response, dut.access.read_data
            _, _, done, *answer = await ctx.tick().sample(*sampled)
        ctx.set(dut.access.request, 0)
        return tuple(answer)

    async def words(ctx):
        own = [edge + 48 + 4 * index for edge in edges for index in range(4)]
        await barrier.pass_through(ctx)
        for _ in range(100):
            address = rng.choice(own)
            if rng.random() < 0.5:
                data = rng.getrandbits(32)
                octets.update({address + lane: data >> 8 * lane & 0xFF for lane in range(4)})
                assert (await access(ctx, address, data))[0] == OKAY
            else:
                assert await access(ctx, address) == (OKAY, word(address))
        assert (await access(ctx, memory_bytes, 1))[0] == DECERR
        assert await access(ctx, 0) == (OKAY, word(0))
        for each in everything:
            each.beats = read(each.address, 16).beats
        await barrier.pass_through(ctx)
        await barrier.pass_through(ctx)

    manager = Manager(dut, "s_axi_", [(fill, []), (writes + outside, reads), ([], everything)])
    benches = manager.benches(barrier, random.Random, idle=idle, stall=stall)
    simulate(dut, *benches, words, background=[watch_offers(dut, "s_axi_")])
