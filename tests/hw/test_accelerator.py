import random

import numpy as np
import pytest
from amaranth.hdl import Fragment, Value
from amaranth.lib.wiring import In, Out
from hw.streams import simulate, small_config
from systolith_hw.accelerator import Accelerator
from systolith_hw.descriptor import BLayout, Code, Completion, Descriptor, Output, Reject
from systolith_hw.registers import REGISTERS

LITE = {
    "awaddr": (In, 8), "awprot": (In, 3), "awvalid": (In, 1), "awready": (Out, 1),
    "wdata": (In, 32), "wstrb": (In, 4), "wvalid": (In, 1), "wready": (Out, 1),
    "bresp": (Out, 2), "bvalid": (Out, 1), "bready": (In, 1),
    "araddr": (In, 8), "arprot": (In, 3), "arvalid": (In, 1), "arready": (Out, 1),
    "rdata": (Out, 32), "rresp": (Out, 2), "rvalid": (Out, 1), "rready": (In, 1),
}  # fmt: skip
ADDRESS = {
    "id": (Out, 1), "addr": (Out, 32), "len": (Out, 8), "size": (Out, 3), "burst": (Out, 2),
    "cache": (Out, 4), "prot": (Out, 3), "valid": (Out, 1), "ready": (In, 1),
}  # fmt: skip


@pytest.mark.parametrize("bits", [32, 64, 128, 256, 512])
def test_init_ports(bits):
    """The standard names, and nothing else."""
    dut = Accelerator(small_config(rows=2, columns=2, axi_data_bits=bits))
    Fragment.get(dut, platform=None)
    full = {
        **{f"aw{name}": port for name, port in ADDRESS.items()},
        "wdata": (Out, bits), "wstrb": (Out, bits // 8), "wlast": (Out, 1),
        "wvalid": (Out, 1), "wready": (In, 1),
        "bid": (In, 1), "bresp": (In, 2), "bvalid": (In, 1), "bready": (Out, 1),
        **{f"ar{name}": port for name, port in ADDRESS.items()},
        "rid": (In, 1), "rdata": (In, bits), "rresp": (In, 2), "rlast": (In, 1),
        "rvalid": (In, 1), "rready": (Out, 1),
    }  # fmt: skip
    expected = {f"s_axil_{name}": port for name, port in LITE.items()}
    expected |= {f"m_axi_{name}": port for name, port in full.items()}
    expected["irq"] = (Out, 1)
    ports = {
        name: (member.flow, len(Value.cast(getattr(dut, name))))
        for name, member in dut.signature.members.items()
    }
    assert ports == expected


class Memory:
    """An AXI4 subordinate: bytes, random stalls, one range that answers with errors."""

    def __init__(self, dut, config, *, seed, stall, faulty=range(0)):
        self.dut, self.config, self.stall, self.faulty = dut, config, stall, faulty
        self.random = random.Random(seed)
        self.bytes = np.random.default_rng(seed).integers(0, 256, 1 << 14, dtype=np.uint8)
        self.reads, self.bursts, self.beats, self.responses = [], [], [], []
        self.written = np.zeros(len(self.bytes), dtype=bool)

    def check_burst(self, values):
        address, length, size, burst, cache, prot, identifier = values
        assert (size, burst, cache, prot, identifier) == (
            (self.config.bus_bytes - 1).bit_length(),
            1,
            3,
            0,
            0,
        )
        count = (length + 1) * self.config.bus_bytes
        assert address % self.config.bus_bytes == 0
        assert address // 4096 == (address + count - 1) // 4096
        return range(address, address + count, self.config.bus_bytes)

    def response(self, address):
        return 2 + address // 4 % 2 if address in self.faulty else 0

    async def run(self, ctx):
        dut, bus = self.dut, self.config.bus_bytes
        names = ("addr", "len", "size", "burst", "cache", "prot", "id")
        while True:
            ready = {name: self.random.random() >= self.stall for name in ("ar", "aw", "w", "r", "b")}
            ctx.set(dut.m_axi_arready, ready["ar"])
            ctx.set(dut.m_axi_awready, ready["aw"])
            ctx.set(dut.m_axi_wready, ready["w"])
            read = ready["r"] and self.reads
            if read:
                address, last = self.reads[0]
                ctx.set(
                    dut.m_axi_rdata, int.from_bytes(self.bytes[address : address + bus].tobytes(), "little")
                )
                ctx.set(dut.m_axi_rresp, self.response(address))
                ctx.set(dut.m_axi_rlast, last)
            ctx.set(dut.m_axi_rvalid, bool(read))
            answer = ready["b"] and self.responses
            if answer:
                ctx.set(dut.m_axi_bresp, self.responses[0])
            ctx.set(dut.m_axi_bvalid, bool(answer))
            valid = (
                dut.m_axi_arvalid,
                dut.m_axi_awvalid,
                dut.m_axi_wvalid,
                dut.m_axi_rready,
                dut.m_axi_bready,
            )
            addresses = [getattr(dut, f"m_axi_{channel}{name}") for channel in ("ar", "aw") for name in names]
            beat = (dut.m_axi_wdata, dut.m_axi_wstrb, dut.m_axi_wlast)
            _, _, *seen = await ctx.tick().sample(*valid, *addresses, *beat)
            assert not read or seen[3], "read data must always be taken"
            assert not answer or seen[4], "responses must always be taken"
            if read:
                self.reads.pop(0)
            if answer:
                self.responses.pop(0)
            if seen[0] and ready["ar"]:
                beats = self.check_burst(seen[5:12])
                self.reads += [(address, address == beats[-1]) for address in beats]
            if seen[1] and ready["aw"]:
                beats = self.check_burst(seen[12:19])
                self.bursts.append((list(beats), max(map(self.response, beats))))
            if seen[2] and ready["w"]:
                self.beats.append(seen[19:])
            # Data may come before their address.
            while self.bursts and self.beats:
                self.write(*self.beats.pop(0))

    def write(self, word, strobe, last):
        """A beat of the oldest burst."""
        burst, response = self.bursts[0]
        address = burst.pop(0)
        assert bool(last) == (not burst)
        for byte in range(self.config.bus_bytes):
            if strobe >> byte & 1:
                assert not self.written[address + byte], "written twice"
                self.written[address + byte] = True
                self.bytes[address + byte] = word >> 8 * byte & 0xFF
        if last:
            self.bursts.pop(0)
            self.responses.append(response)


async def write_register(ctx, dut, name, value):
    ctx.set(dut.s_axil_awaddr, REGISTERS[name].offset)
    ctx.set(dut.s_axil_wdata, value)
    ctx.set(dut.s_axil_wstrb, 15)
    for channel in ("aw", "w"):
        ctx.set(getattr(dut, f"s_axil_{channel}valid"), 1)
    ctx.set(dut.s_axil_bready, 1)
    await ctx.tick()
    for channel in ("aw", "w"):
        ctx.set(getattr(dut, f"s_axil_{channel}valid"), 0)
    await ctx.tick()


def strided(memory, address, shape, strides, dtype):
    """A view of matrices in memory."""
    return np.ndarray(shape, dtype, memory.bytes.data, address, strides)


def product(memory, descriptor):
    """D, from the operands in memory."""
    d = descriptor
    a = strided(memory, d.a_address, (d.m, d.k), (d.a_stride, 1), np.int8).astype(np.int64)
    rows, columns = (d.k, d.n) if d.b_layout == BLayout.KN else (d.n, d.k)
    b = strided(memory, d.b_address, (rows, columns), (d.b_stride, 1), np.int8).astype(np.int64)
    return a @ (b if d.b_layout == BLayout.KN else b.T)


def run(config, descriptors, *, seed, stall, faulty=range(0)):
    """Run descriptors from a ring at address 0x3000; return the memory and the completion records."""
    dut = Accelerator(config)
    memory = Memory(dut, config, seed=seed, stall=stall, faulty=faulty)
    ring = 0x3000
    for number, descriptor in enumerate(descriptors):
        memory.bytes[ring + 128 * number :][:64] = np.frombuffer(descriptor.pack(), np.uint8)
    expected = [product(memory, descriptor) for descriptor in descriptors]

    async def host(ctx):
        await write_register(ctx, dut, "ring_base", ring)
        await write_register(ctx, dut, "ring_size", 4)
        await write_register(ctx, dut, "irq_enable", 1)
        await write_register(ctx, dut, "control", 1)
        await write_register(ctx, dut, "ring_tail", len(descriptors))
        while not ctx.get(dut.irq):
            await ctx.tick()

    simulate(dut, host, background=[memory.run], limit=3000)
    records = [
        Completion.unpack(memory.bytes[ring + 128 * number + 64 :][:64].tobytes())
        for number in range(len(descriptors))
    ]
    return memory, records, expected


def gemm(config, index, **fields):
    """A small product in a kilobyte or two of its own; the last of them interrupts."""
    bus, base = config.bus_bytes, 0x800 * index
    values = {"m": 5, "k": 7, "n": 3, "m_block": 2, "tag": index + 100}
    values |= {"a_address": base, "b_address": base + 0x200, "d_address": base + 0x400}
    values |= {"a_stride": 2 * bus, "b_stride": 2 * bus, "d_stride": 4 * bus}
    return Descriptor(**values | fields)


CONFIG = {"rows": 2, "columns": 2, "a_buffer_lines": 16, "b_buffer_lines": 16}


@pytest.mark.parametrize("tile_columns", [1, 2])
@pytest.mark.parametrize("stall", [0, 0.4])
def test_sim_products(stall, tile_columns):
    """Both layouts, one that cannot be run between them, and counters that add up."""
    config = small_config(**CONFIG, tile_columns=tile_columns)
    descriptors = [
        gemm(config, 0),
        gemm(config, 1, output=Output.INT8),
        gemm(config, 2, b_layout=BLayout.NK, relu=True),
        gemm(config, 3, b_layout=BLayout.NK, m=1, n=5, k=2, interrupt=True),
    ]
    memory, records, expected = run(config, descriptors, seed=1, stall=stall)
    for number, (descriptor, record) in enumerate(zip(descriptors, records, strict=True)):
        assert record.tag == descriptor.tag
        assert record.fault_address == 0
        counters = record.counters
        assert counters.total == sum(counters.parts.values())
        if number == 1:
            assert (record.code, record.reason, counters.total) == (Code.REJECTED, Reject.PARAMETERS, 0)
            assert not memory.written[descriptor.d_address :][:0x400].any()
            continue
        assert (record.code, record.reason) == (Code.OK, Reject.NONE)
        result = expected[number]
        if descriptor.relu:
            result = np.maximum(result, 0)
        shape, strides = (descriptor.m, descriptor.n), (descriptor.d_stride, 4)
        got = strided(memory, descriptor.d_address, shape, strides, np.int32)
        assert np.array_equal(got, result)
        written = memory.written[descriptor.d_address :][:0x400]
        assert written.sum() == 4 * descriptor.m * descriptor.n
        passes = -(-descriptor.k // 2) * -(-descriptor.n // 2)
        assert counters.compute == passes * descriptor.m


@pytest.mark.parametrize(
    ("faulty", "code"),
    [
        (range(0x210, 0x214), Code.READ_ERROR),
        (range(0x004, 0x006), Code.READ_ERROR),
        (range(0x420, 0x424), Code.WRITE_ERROR),
    ],
)
def test_sim_bus_errors(faulty, code):
    """The one whose access failed says where; the next is right."""
    config = small_config(**CONFIG)
    descriptors = [gemm(config, 0), gemm(config, 1, interrupt=True)]
    memory, records, expected = run(config, descriptors, seed=2, stall=0.1, faulty=faulty)
    assert (records[0].code, records[0].fault_address) == (code, faulty[0])
    assert (records[1].code, records[1].fault_address) == (Code.OK, 0)
    d = descriptors[1]
    assert np.array_equal(strided(memory, d.d_address, (d.m, d.n), (d.d_stride, 4), np.int32), expected[1])
