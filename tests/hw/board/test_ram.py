"""Memory on the chip, alone and behind the arbiter with two managers."""

import gc
import random
import warnings

import pytest
from amaranth.hdl import Module, UnusedElaboratable
from amaranth.lib import wiring
from hw.board.managers import Barrier, Burst, Manager, watch_offers
from hw.streams import STALLS, simulate
from systolith_hw.axi import axi4_manager_ports
from systolith_hw.board.arbiter import MemoryArbiter
from systolith_hw.board.bus_access import Access
from systolith_hw.board.ram import OnChipRam
from systolith_hw.board.slices import AccessSlice, BusSlice
from systolith_hw.vendor.single_port import SinglePortRam

MEMORY_BYTES = 4096
QUARTER = MEMORY_BYTES // 4
OKAY, SLVERR, DECERR = 0, 2, 3


def join(m, manager, manager_prefix, subordinate, subordinate_prefix):
    """Connect the ports of a bus, by their names without prefix."""
    for name, member in axi4_manager_ports(prefix="", data_bits=32, address_bits=32).items():
        ours, theirs = (
            getattr(manager, manager_prefix + name),
            getattr(subordinate, subordinate_prefix + name),
        )
        m.d.comb += theirs.eq(ours) if member.flow is wiring.Out else ours.eq(theirs)


class SharedRam(wiring.Component):
    """The memory behind the arbiter, with or without registers between; ``bus`` is the arbiter."""

    def __init__(self, data_bits, *, sliced=False):
        self._data_bits = data_bits
        self._sliced = sliced
        ports = {}
        for prefix in ("s0_axi_", "s1_axi_"):
            members = axi4_manager_ports(prefix=prefix, data_bits=data_bits, address_bits=32)
            ports |= {name: member.flip() for name, member in members.items()}
        self.bus = MemoryArbiter(data_bits=data_bits, address_bits=32)
        super().__init__(ports)

    def elaborate(self, platform):
        m = Module()
        m.submodules.bus = bus = self.bus
        m.submodules.ram = ram = OnChipRam(memory_bytes=MEMORY_BYTES, data_bits=self._data_bits)
        for prefix in ("s0_axi_", "s1_axi_"):
            join(m, self, prefix, bus, prefix)
        if self._sliced:
            m.submodules.slice = part = BusSlice(data_bits=self._data_bits, address_bits=32)
            join(m, bus, "m_axi_", part, "s_axi_")
            bus = part
        join(m, bus, "m_axi_", ram, "s_axi_")
        return m


class SlicedAccessRam(wiring.Component):
    """The memory with registers round its access."""

    def __init__(self, *, memory_bytes, data_bits):
        self._ram = OnChipRam(memory_bytes=memory_bytes, data_bits=data_bits)
        super().__init__(self._ram.signature)

    def elaborate(self, platform):
        m = Module()
        m.submodules.ram = ram = self._ram
        m.submodules.slice = part = AccessSlice(Access(data_bits=32, address_bits=len(self.access.address)))
        join(m, self, "s_axi_", ram, "s_axi_")
        wiring.connect(m, wiring.flipped(self.access), part.i)
        wiring.connect(m, part.o, ram.access)
        return m


class Memory:
    """What the memory must hold, and random bursts that keep to parts of it."""

    def __init__(self, data_bits, rng):
        self.beat_bytes = data_bits // 8
        self.octets = bytearray(MEMORY_BYTES)
        self._rng = rng

    def _place(self, start, beats):
        span = QUARTER - beats * self.beat_bytes
        return start + self._rng.randrange(span // self.beat_bytes + 1) * self.beat_bytes

    def _size(self):
        return self.beat_bytes.bit_length() - 1

    def write(self, start, *, whole=False, beats=None):
        """A write into a quarter, done at once in what the memory must hold."""
        rng = self._rng
        beats = beats or rng.choice([1, 1, 2, rng.randint(1, 16)])
        address = start if whole else self._place(start, beats)
        burst = Burst(address, self._size(), OKAY, [])
        for beat in range(beats):
            data = rng.getrandbits(8 * self.beat_bytes)
            strobe = (1 << self.beat_bytes) - 1 if whole else rng.getrandbits(self.beat_bytes)
            burst.beats.append((data, strobe))
            for lane in range(self.beat_bytes):
                if strobe >> lane & 1:
                    self.octets[address + beat * self.beat_bytes + lane] = data >> 8 * lane & 0xFF
        return burst

    def read(self, start, *, beats=None, address=None):
        """A read, and what it must return as the memory is now."""
        beats = beats or self._rng.choice([1, 1, 2, self._rng.randint(1, 16)])
        address = self._place(start, beats) if address is None else address
        ends = [address + index * self.beat_bytes for index in range(beats)]
        data = [int.from_bytes(self.octets[end : end + self.beat_bytes], "little") for end in ends]
        return Burst(address, self._size(), OKAY, data)

    def wrong(self, *, write):
        """A burst that must fail and do nothing."""
        rng = self._rng
        beats = [(rng.getrandbits(8), -1 & (1 << self.beat_bytes) - 1) if write else 0] * rng.randint(1, 4)
        outside = rng.choice([MEMORY_BYTES, 2 * MEMORY_BYTES, 1 << 31, (1 << 32) - 64])
        return rng.choice(
            [
                Burst(outside, self._size(), DECERR, beats),
                Burst(QUARTER, self._size(), SLVERR, beats, kind=0),
                Burst(QUARTER, self._size(), SLVERR, beats, kind=2),
                Burst(QUARTER, self._size() - 1, SLVERR, beats),
            ]
        )

    def fill(self):
        """Writes of the whole memory."""
        return [self.write(start, whole=True, beats=self._beats_max) for start in self._starts]

    def read_all(self):
        """Reads of the whole memory."""
        return [self.read(0, beats=self._beats_max, address=start) for start in self._starts]

    @property
    def _beats_max(self):
        return min(QUARTER // self.beat_bytes, 256)

    @property
    def _starts(self):
        return range(0, MEMORY_BYTES, self._beats_max * self.beat_bytes)


def run(dut, prefixes, phases, *, idle, stall, watched):
    """Run managers with these prefixes, each with phases of its own."""
    barrier = Barrier(Manager.CHANNELS * len(prefixes))
    benches = []
    for prefix, each in zip(prefixes, phases, strict=True):
        manager = Manager(dut, prefix, each)
        benches += manager.benches(barrier, random.Random, idle=idle, stall=stall)
    background = [watch_offers(component, prefix) for component, prefix in watched]
    simulate(dut, *benches, background=background, limit=100_000)


def test_init_wrong_size():
    with warnings.catch_warnings():
        # What is refused is never used.
        warnings.simplefilter("ignore", UnusedElaboratable)
        for size in (0, 100, 4096 + 4, -4096):
            with pytest.raises(ValueError, match=f"^memory_bytes must be a multiple of 4096, not {size}$"):
                OnChipRam(memory_bytes=size, data_bits=32)
        gc.collect()


@pytest.mark.parametrize(("idle", "stall"), STALLS)
@pytest.mark.parametrize("data_bits", [32, 128])
def test_sim_ram(data_bits, idle, stall):
    """What is written is read, byte by byte; what fails writes nothing, and ends with the right response."""
    memory = Memory(data_bits, random.Random(data_bits))
    phases = [(memory.fill(), [])]
    # Reads are of a quarter that nothing is written to meanwhile.
    reads = [memory.wrong(write=False) if i % 5 == 3 else memory.read(3 * QUARTER) for i in range(40)]
    writes = [memory.wrong(write=True) if i % 5 == 3 else memory.write(i % 3 * QUARTER) for i in range(40)]
    phases += [(writes, reads), ([], memory.read_all())]
    dut = OnChipRam(memory_bytes=MEMORY_BYTES, data_bits=data_bits)
    run(dut, ["s_axi_"], [phases], idle=idle, stall=stall, watched=[(dut, "s_axi_")])


@pytest.mark.parametrize(("idle", "stall"), STALLS)
@pytest.mark.parametrize("ram", [OnChipRam, SinglePortRam, SlicedAccessRam])
def test_sim_access(ram, idle, stall):
    """Single words are written and read between the bursts, and what is outside is told of."""
    memory = Memory(32, random.Random(7))
    fill = memory.fill()
    phases = [
        (fill, []),
        ([memory.write(i % 2 * QUARTER) for i in range(40)], [memory.read(3 * QUARTER) for i in range(40)]),
    ]
    dut = ram(memory_bytes=MEMORY_BYTES, data_bits=32)
    barrier = Barrier(Manager.CHANNELS + 1)

    async def make_access(ctx, address, data=None, strobe=0):
        access = dut.access
        ctx.set(access.write, data is not None)
        ctx.set(access.address, address)
        ctx.set(access.data, data or 0)
        ctx.set(access.strobe, strobe)
        ctx.set(access.request, 1)
        sampled = access.done, access.read_data, access.response
        _, _, done, read, response = await ctx.tick().sample(*sampled)
        assert not done
        while not done:
            _, _, done, read, response = await ctx.tick().sample(*sampled)
        ctx.set(access.request, 0)
        if response == OKAY and data is not None:
            for lane in range(4):
                if strobe >> lane & 1:
                    memory.octets[address + lane] = data >> 8 * lane & 0xFF
        return response, read

    async def work(ctx):
        rng = random.Random(8)
        await barrier.pass_through(ctx)
        for _ in range(200):
            while rng.random() < idle:
                await ctx.tick()
            address = rng.randrange(2 * QUARTER, MEMORY_BYTES, 4)
            if rng.random() < 0.5:
                expected = int.from_bytes(memory.octets[address : address + 4], "little")
                assert await make_access(ctx, address) == (OKAY, expected)
            elif rng.random() < 0.9:
                address = rng.randrange(2 * QUARTER, 3 * QUARTER, 4)
                written = await make_access(ctx, address, rng.getrandbits(32), rng.getrandbits(4))
                assert written[0] == OKAY
            else:
                assert (await make_access(ctx, MEMORY_BYTES + address, 1, 15))[0] == DECERR
                assert (await make_access(ctx, MEMORY_BYTES + address))[0] == DECERR
        await barrier.pass_through(ctx)
        for address in range(0, MEMORY_BYTES, 28):
            expected = int.from_bytes(memory.octets[address : address + 4], "little")
            assert await make_access(ctx, address) == (OKAY, expected)

    manager = Manager(dut, "s_axi_", phases)
    benches = manager.benches(barrier, random.Random, idle=idle, stall=stall)
    simulate(dut, *benches, work, background=[watch_offers(dut, "s_axi_")], limit=100_000)


def test_sim_ram_reads_every_cycle():
    """Bursts of reads follow each other without a pause, and so do those of writes."""
    memory = Memory(32, random.Random(1))
    phases = [(memory.fill(), []), ([], [memory.read(0, beats=8) for _ in range(50)])]
    dut = OnChipRam(memory_bytes=MEMORY_BYTES, data_bits=32)
    beats = {"r": [], "w": []}

    async def count(ctx):
        cycle = 0
        while True:
            for channel, cycles in beats.items():
                valid, ready = (ctx.get(getattr(dut, f"s_axi_{channel}{n}")) for n in ("valid", "ready"))
                if valid and ready:
                    cycles.append(cycle)
            cycle += 1
            await ctx.tick()

    manager = Manager(dut, "s_axi_", phases)
    benches = manager.benches(Barrier(Manager.CHANNELS), random.Random, idle=0, stall=0)
    simulate(dut, *benches, background=[count], limit=100_000)
    for channel, number in (("r", 400), ("w", MEMORY_BYTES // 4)):
        assert len(beats[channel]) == number
        assert beats[channel][-1] - beats[channel][0] == number - 1


@pytest.mark.parametrize(("idle", "stall"), STALLS)
@pytest.mark.parametrize(("data_bits", "sliced"), [(32, False), (64, False), (32, True)])
def test_sim_shared(data_bits, sliced, idle, stall):
    """Two managers each get the answers to their own bursts, whatever the other does."""
    memory = Memory(data_bits, random.Random(data_bits))
    fill = memory.fill()
    phases = [[(fill[::2], [])], [(fill[1::2], [])]]
    for own, each in enumerate(phases):
        writes = [memory.wrong(write=True) if i % 7 == 3 else memory.write(own * QUARTER) for i in range(30)]
        reads = [
            memory.wrong(write=False) if i % 7 == 3 else memory.read((2 + i % 2) * QUARTER) for i in range(30)
        ]
        each.append((writes, reads))
    for each in phases:
        each.append(([], memory.read_all()))
    dut = SharedRam(data_bits, sliced=sliced)
    watched = [(dut, "s0_axi_"), (dut, "s1_axi_"), (dut.bus, "m_axi_")]
    run(dut, ["s0_axi_", "s1_axi_"], phases, idle=idle, stall=stall, watched=watched)


def test_sim_shared_second_goes_first():
    """The second manager waits for at most one burst of the first's."""
    memory = Memory(32, random.Random(2))
    first = [memory.write(0, beats=16) for _ in range(40)]
    second = [memory.write(QUARTER, beats=1) for _ in range(20)]
    dut = SharedRam(32)
    answered = []

    async def count(ctx):
        while True:
            for index in range(2):
                valid, ready = (ctx.get(getattr(dut, f"s{index}_axi_b{n}")) for n in ("valid", "ready"))
                if valid and ready:
                    answered.append(index)
            await ctx.tick()

    barrier = Barrier(2 * Manager.CHANNELS)
    benches = []
    for index, writes in enumerate((first, second)):
        manager = Manager(dut, f"s{index}_axi_", [(writes, [])])
        benches += manager.benches(barrier, random.Random, idle=0, stall=0)
    simulate(dut, *benches, background=[count], limit=100_000)
    assert answered.count(0) == 40 and answered.count(1) == 20
    assert answered.index(1) <= 1
    last = len(answered) - 1 - answered[::-1].index(1)
    assert answered[: last + 1].count(0) <= 21
