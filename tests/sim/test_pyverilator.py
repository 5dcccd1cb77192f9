"""The library as pyverilator sees it."""

import pytest
import pyverilator
from sim.copier import REGISTERS
from systolith_sim import Simulator, Variant
from systolith_sim.pyverilator_interface import Port, interface_source, internal_signals, top_ports


def write_register(sim, name, value):
    sim.io.s_axil_awaddr = REGISTERS[name]
    sim.io.s_axil_wdata = value
    sim.io.s_axil_awvalid = sim.io.s_axil_wvalid = sim.io.s_axil_bready = 1
    sim.clock.tick()
    sim.io.s_axil_awvalid = sim.io.s_axil_wvalid = 0
    sim.clock.tick()


def reset(sim):
    sim.io.rst = 1
    sim.clock.tick()
    sim.io.rst = 0


def test_pyverilator_ports(copier_library):
    """Every library lets its ports be poked and peeked, of any width."""
    sim = pyverilator.PyVerilator(str(copier_library(128)))
    assert sim.module_name == "systolith"
    assert ("m_axi_rdata", 128) in sim.inputs
    assert ("m_axi_wdata", 128) in sim.outputs
    assert sim.internal_signals == []
    reset(sim)
    write_register(sim, "source", 0x12340000)
    write_register(sim, "beats", 4)
    write_register(sim, "burst", 4)
    write_register(sim, "control", 1)
    assert sim.io.m_axi_arvalid == 1
    assert sim.io.m_axi_araddr == 0x12340000
    beat = 0x0123456789ABCDEF_FEDCBA9876543210
    sim.io.m_axi_rdata = beat
    assert sim["m_axi_rdata"] == beat
    sim.io.m_axi_rvalid = 1
    for _ in range(3):
        sim.clock.tick()
    assert sim.io.m_axi_wdata == beat


def test_pyverilator_internals(copier_library, tmp_path):
    """The debug variant shows registers inside, and traces."""
    sim = pyverilator.PyVerilator(str(copier_library(64, Variant.DEBUG)))
    reset(sim)
    write_register(sim, "source", 0xCAFE0)
    assert sim.internals.source == 0xCAFE0
    assert sim["systolith__DOT__source"] == 0xCAFE0
    sim.start_vcd_trace(str(tmp_path / "pyverilator.vcd"))
    write_register(sim, "source", 0x5A5A5A5A)
    assert sim.internals.source == 0x5A5A5A5A
    sim.stop_vcd_trace()
    assert f"b{0x5A5A5A5A:032b} " in (tmp_path / "pyverilator.vcd").read_text()
    before = sim.internals.store.produce
    sim.io.m_axi_rvalid = 1
    sim.clock.tick()
    assert sim.internals.store.produce == before + 1


def test_pyverilator_beside_simulator(copier_library):
    """Neither disturbs the other, in any order."""
    library = copier_library(64, Variant.DEBUG)
    with Simulator(library, memory_bytes=4096) as simulator:
        sim = pyverilator.PyVerilator(str(library))
        reset(sim)
        write_register(sim, "source", 16)
        simulator.write_register(REGISTERS["source"], 32)
        assert sim.internals.source == 16
    again = pyverilator.PyVerilator(str(library))
    write_register(again, "source", 48)
    assert (sim.internals.source, again.internals.source) == (16, 48)
    assert not sim.finished


HEADER = """
    VL_IN8(&clk,0,0);
    VL_IN64(&in64,63,0);
    VL_INW(&inw,127,0,4);
    VL_OUT16(&out16,15,0);
        CData/*2:0*/ systolith__DOT__three;
        VlWide<3>/*79:0*/ systolith__DOT__a__DOT__wide;
        IData/*31:0*/ __Vtemp__DOT__x;
        CData/*0:0*/ systolith__DOT___0_;
        CData/*0:0*/ systolith__DOT__x__BRA__0__KET__;
        VlUnpacked<CData/*7:0*/, 4> systolith__DOT__memory;
"""


def test_header():
    assert top_ports(HEADER) == [
        Port(name="clk", direction="input", width=1),
        Port(name="in64", direction="input", width=64),
        Port(name="inw", direction="input", width=128),
        Port(name="out16", direction="output", width=16),
    ]
    assert internal_signals(HEADER) == [
        Port(name="systolith__DOT__three", direction="internal", width=3),
        Port(name="systolith__DOT__a__DOT__wide", direction="internal", width=80),
    ]


@pytest.mark.parametrize("width", [1, 32, 33, 64, 65])
def test_interface_source(width):
    source = interface_source([Port(name="p", direction="input", width=width)])
    value = "uint64_t" if 32 < width <= 64 else "uint32_t"
    index, parameter = ("[word]", ", int word") if width > 64 else ("", "")
    assert f"{value} get_p(Vsystolith* device{parameter}) {{ return device->p{index}; }}" in source
    assert (
        f"int set_p(Vsystolith* device{parameter}, uint64_t value) {{ device->p{index} = value; return 0; }}"
        in source
    )
