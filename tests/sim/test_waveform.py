"""Waveforms of a window of cycles."""

import pytest
from sim.conftest import MEMORY_BYTES
from sim.copier import start_copy
from sim.fst import read_header, read_names, read_times
from systolith_sim import Simulator, Variant


@pytest.fixture
def tracer(copier_library):
    with Simulator(copier_library(64, Variant.TRACE), memory_bytes=MEMORY_BYTES) as simulator:
        yield simulator


@pytest.fixture
def debugger(copier_library):
    with Simulator(copier_library(64, Variant.DEBUG), memory_bytes=MEMORY_BYTES) as simulator:
        yield simulator


def run_copy(simulator):
    start_copy(simulator, source=0, destination=0x8000, beats=16, burst=4)
    simulator.run(max_cycles=1000)
    return simulator.cycles


def test_sim_fst(tracer, tmp_path):
    path = tmp_path / "window.fst"
    tracer.trace(path, start=20, stop=50)
    assert run_copy(tracer) > 50
    data = path.read_bytes()
    assert read_header(data) == (200, 495, -9)
    assert read_times(data) == list(range(200, 500, 5))
    names = read_names(data)
    for name in (b"TOP", b"store", b"clk", b"m_axi_araddr [31:0]", b"bursts_out [31:0]"):
        assert name + b"\0" in names


def test_sim_fst_open_end(tracer, tmp_path):
    """Without an end it ends with the simulation, or when told to; another file may follow."""
    tracer.trace(tmp_path / "first.fst")
    tracer.run(max_cycles=10, until=None)
    tracer.end_trace()
    tracer.run(max_cycles=10, until=None)
    assert read_header((tmp_path / "first.fst").read_bytes()) == (5, 100, -9)
    tracer.trace(tmp_path / "second.fst")
    tracer.run(max_cycles=10, until=None)
    tracer.reset()
    assert read_header((tmp_path / "second.fst").read_bytes()) == (205, 300, -9)
    tracer.trace(tmp_path / "third.fst")
    tracer.run(max_cycles=10, until=None)
    tracer.close()
    assert read_header((tmp_path / "third.fst").read_bytes()) == (5, 100, -9)


def read_changes(text, name):
    """Time and value of each change of a one-bit signal at the top of a VCD file."""
    code = next(
        line.split()[3]
        for line in text.splitlines()
        if line.split()[:1] == ["$var"] and line.split()[4] == name
    )
    changes, time = [], None
    for line in text.splitlines():
        if line.startswith("#"):
            time = int(line[1:])
        elif line[1:] == code and line[0] in "01":
            changes.append((time, int(line[0])))
    return changes


def test_sim_vcd(debugger, tmp_path):
    path = tmp_path / "window.vcd"
    debugger.trace(path, start=3)
    cycles = run_copy(debugger)
    debugger.end_trace()
    text = path.read_text()
    assert "$timescale 1ns $end" in " ".join(text.split())
    # The interrupt rises at the edge that ends the last cycle of the run.
    assert read_changes(text, "irq") == [(30, 0), (10 * cycles, 1)]
    clock = read_changes(text, "clk")
    assert clock[:3] == [(30, 1), (35, 0), (40, 1)]
    assert len(clock) == 2 * (cycles - 3) + 1


def test_sim_variants_agree(tracer, debugger, copier_library):
    with Simulator(copier_library(64), memory_bytes=MEMORY_BYTES) as fast:
        assert run_copy(fast) == run_copy(tracer) == run_copy(debugger)


def test_sim_trace_wrong(tracer, debugger, copier_library, tmp_path):
    with Simulator(copier_library(64), memory_bytes=4096) as fast:
        message = "this model cannot write waveforms: build one with variant=Variant.TRACE"
        with pytest.raises(ValueError, match=message):
            fast.trace(tmp_path / "a.fst")
    with pytest.raises(ValueError, match=r"this model writes .fst files, not 'a.vcd'"):
        tracer.trace(tmp_path / "a.vcd")
    with pytest.raises(ValueError, match=r"this model writes .vcd files, not 'a.fst'"):
        debugger.trace(tmp_path / "a.fst")
    with pytest.raises(ValueError, match="the window must not be empty or negative, not 5 to 5"):
        tracer.trace(tmp_path / "a.fst", start=5, stop=5)
    with pytest.raises(FileNotFoundError):
        tracer.trace(tmp_path / "missing" / "a.fst")
