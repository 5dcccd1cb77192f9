"""The accelerator itself: built, started, and looked into."""

import itertools
import struct

import pytest
import pyverilator
from systolith_hw import ArrayConfig, Descriptor
from systolith_hw.registers import REGISTERS, identity
from systolith_sim import Variant, build_model, open_simulator

SMALL = ArrayConfig(rows=2, columns=2, a_buffer_lines=32, b_buffer_lines=64, accumulator_rows=16)


@pytest.mark.slow
def test_open_simulator(cache):
    """It answers as the configuration says, and works on from the cache without being built again."""
    told = []
    arguments = {"memory_bytes": 4096, "cache": cache, "progress": told.append}
    with open_simulator(SMALL, **arguments) as simulator:
        answers = {name: simulator.read_register(REGISTERS[name].offset) for name in identity(SMALL)}
        assert answers == identity(SMALL)
        cycles = simulator.read_register(REGISTERS["cycles"].offset)
        # The counter is read in the first of the two cycles of the transaction.
        assert simulator.cycles - 3 <= cycles <= simulator.cycles
    assert f"building the fast simulation model of {SMALL}" in told
    told.clear()
    with open_simulator(SMALL, **arguments):
        assert told == []


class Host:
    """Registers and memory of a device under pyverilator, a transfer at a time."""

    def __init__(self, sim, memory_bytes):
        self.sim = sim
        self.memory = bytearray(memory_bytes)
        sim.io.rst = 1
        sim.clock.tick()
        sim.io.rst = 0
        sim.io.s_axil_wstrb = 0xF
        sim.io.s_axil_bready = sim.io.m_axi_awready = sim.io.m_axi_wready = 1
        self._reads, self._writes, self._responses = [], [], 0

    def write_register(self, name, value):
        io = self.sim.io
        io.s_axil_awaddr, io.s_axil_wdata = REGISTERS[name].offset, value
        io.s_axil_awvalid = io.s_axil_wvalid = 1
        while io.s_axil_awvalid or io.s_axil_wvalid:
            address, data = bool(io.s_axil_awready), bool(io.s_axil_wready)
            self.tick()
            io.s_axil_awvalid &= not address
            io.s_axil_wvalid &= not data

    def tick(self):
        """One cycle, in which the memory takes and gives what it can."""
        io = self.sim.io
        io.m_axi_arready = not self._reads
        io.m_axi_rvalid = bool(self._reads)
        io.m_axi_rlast = len(self._reads) == 1
        if self._reads:
            io.m_axi_rdata = int.from_bytes(self.memory[self._reads[0] :][:4], "little")
        io.m_axi_bvalid = self._responses > 0
        if io.m_axi_bvalid and io.m_axi_bready:
            self._responses -= 1
        if io.m_axi_rvalid and io.m_axi_rready:
            self._reads.pop(0)
        elif io.m_axi_arvalid and io.m_axi_arready:
            self._reads = [io.m_axi_araddr + 4 * beat for beat in range(io.m_axi_arlen + 1)]
        if io.m_axi_wvalid and io.m_axi_wlast:
            self._responses += 1
        self.sim.clock.tick()


@pytest.mark.slow
def test_pyverilator_pe(cache):
    """pyverilator shows the registers inside the processing elements as a product goes through them."""
    sim = pyverilator.PyVerilator(
        str(build_model(SMALL, lowering="stock", variant=Variant.DEBUG, cache=cache))
    )
    a, b = [[3, -5], [7, 100], [-128, 127]], [[1, 2], [3, -128]]
    host = Host(sim, 1 << 12)
    addresses = {"a_address": 0x400, "b_address": 0x500, "d_address": 0x600}
    descriptor = Descriptor(m=3, k=2, n=2, m_block=3, a_stride=4, b_stride=4, d_stride=8, **addresses)
    host.memory[:64] = descriptor.pack()
    for address, matrix in ((0x400, a), (0x500, b)):
        for row, values in enumerate(matrix):
            host.memory[address + 4 * row : address + 4 * row + 2] = struct.pack("2b", *values)
    for name, value in {"ring_base": 0, "ring_size": 0, "ring_tail": 1, "control": 1}.items():
        host.write_register(name, value)

    pe = "systolith__DOT__array__DOT__pe_1_1__DOT__"
    widths = dict(sim.internal_signals)
    assert [widths[pe + name] for name in ("active_weight", "a", "product")] == [8, 8, 16]
    seen = []
    for _ in range(1000):
        host.tick()
        seen.append(tuple(int(sim[pe + name]) for name in ("active_weight", "a", "product")))
        if sim.io.m_axi_wvalid:
            break
    # The product follows its activation by a cycle.
    weight = b[1][1]
    steps = {(now[0], now[1], after[2]) for now, after in itertools.pairwise(seen)}
    for _, activation in a:
        assert (weight & 0xFF, activation & 0xFF, activation * weight & 0xFFFF) in steps
