"""Five simulations of one design: the same products, and in the same cycles where the memory is the same."""

import importlib
import sys

import find_libpython
import pytest
from systolith_hw import ArrayConfig
from systolith_sim import Variant, open_simulator
from systolith_sim.errors import SimulationError
from systolith_sim.peers import PEERS, Job, missing_remedy, open_peer, with_cocotb
from systolith_sim.peers import open as opening
from systolith_sim.peers.bus import OUTPUTS, Memory
from systolith_sim.toolchain import find_toolchain

CONFIG = ArrayConfig.parse("2x4-axi64-a64-b64-acc16")
SHAPES = ({"m": 5, "k": 7, "n": 9}, {"m": 1, "k": 40, "n": 3}, {"m": 12, "k": 16, "n": 8, "count": 3})


@pytest.fixture(scope="module")
def peer():
    """Open a simulation, from the user's cache as the runtime's tests of the same array do."""
    opened = {}

    def open_one(name, latency_cycles=40):
        key = name, latency_cycles
        if key not in opened:
            opened[key] = open_peer(name, CONFIG, latency_cycles=latency_cycles)
        return opened[key]

    return open_one


def skip_without_libpython(name):
    if name == "cocotb" and find_libpython.find_libpython() is None:
        pytest.skip("cocotb needs Python as a shared library, and this Python has none")


@pytest.mark.slow
@pytest.mark.parametrize("latency_cycles", [1, 40])
@pytest.mark.parametrize("name", ["stock", "pyverilator", "amaranth"])
def test_same_cycles(peer, name, latency_cycles):
    for seed, shape in enumerate(SHAPES):
        job = Job(CONFIG, **shape, seed=seed)
        wanted = peer("loops", latency_cycles).run(job)
        assert wanted.mismatches == 0
        got = peer(name, latency_cycles).run(job)
        assert (got.mismatches, got.cycles, got.charged) == (0, wanted.cycles, wanted.charged), shape


@pytest.mark.slow
@pytest.mark.parametrize("name", ["pyverilator", "amaranth"])
def test_same_outputs_in_every_cycle(peer, monkeypatch, name):
    """Every signal by which the device talks to memory and host, against a recording under the harness."""
    job = Job(CONFIG, **SHAPES[0])
    seen = []

    class Recorder(Memory):
        def sample(self, cycle, read):
            seen.append({output: int(read(output)) for output in OUTPUTS})
            super().sample(cycle, read)

    module = importlib.import_module(f"systolith_sim.peers.with_{name}")
    monkeypatch.setattr(module, "Memory", Recorder)
    cycles = peer(name).run(job).cycles
    with open_simulator(CONFIG, memory_bytes=len(job.image), variant=Variant.RECORD) as simulator:
        simulator.memory[:] = job.image
        for offset, value in job.writes:
            simulator.write_register(offset, value)
        simulator.run()
        assert simulator.cycles == cycles == len(seen) <= simulator.recorded_cycles
        for cycle, got in enumerate(seen):
            wanted = simulator.ports(cycle)
            assert got == {output: wanted[output] for output in OUTPUTS}, cycle


def test_cocotb_key(monkeypatch, tmp_path):
    """What cocotb builds depends on the Python that it is linked to, and on how the runner builds."""
    toolchain = find_toolchain()
    keys = [with_cocotb.cocotb_key("a", toolchain)]
    assert with_cocotb.cocotb_key("a", toolchain) == keys[0]
    keys.append(with_cocotb.cocotb_key("b", toolchain))
    with monkeypatch.context() as patch:
        patch.setattr(sys, "version", "3.14.0")
        keys.append(with_cocotb.cocotb_key("a", toolchain))
    (tmp_path / "runner.py").write_text("pass", encoding="utf-8")
    monkeypatch.setattr(with_cocotb, "RUNNER", tmp_path / "runner.py")
    keys.append(with_cocotb.cocotb_key("a", toolchain))
    assert len(set(keys)) == 4


def test_latency_counts(peer):
    job = Job(CONFIG, **SHAPES[0])
    assert peer("loops", 1).run(job).cycles < peer("loops", 40).run(job).cycles


@pytest.mark.slow
def test_cocotb(peer):
    """Its memory has a timing of its own: the products are the same, and what computing them takes."""
    skip_without_libpython("cocotb")
    for seed, shape in enumerate(SHAPES[1:]):
        job = Job(CONFIG, **shape, seed=seed)
        got, other = peer("cocotb").run(job), peer("loops").run(job)
        assert got.mismatches == 0
        assert [each.compute for each in got.charged] == [each.compute for each in other.charged]
        assert sum(each.total for each in got.charged) < got.cycles
    assert got.cycles_per_second == got.cycles / got.cpu_seconds


@pytest.mark.slow
@pytest.mark.parametrize("name", PEERS)
def test_no_interrupt(peer, name):
    skip_without_libpython(name)
    job = Job(CONFIG, **SHAPES[0])
    job.writes.pop()
    job.max_cycles = 300
    with pytest.raises(SimulationError, match="irq is low"):
        peer(name).run(job)


@pytest.mark.slow
@pytest.mark.parametrize("name", PEERS)
def test_build_seconds(peer, name):
    skip_without_libpython(name)
    assert peer(name).build_seconds > 0


def test_open_peer_wrong():
    with pytest.raises(ValueError, match=r"^the simulation must be one of loops, .*, not 'spice'$"):
        open_peer("spice", CONFIG, latency_cycles=1)


def test_missing_remedy(monkeypatch):
    monkeypatch.setattr(find_libpython, "find_libpython", lambda: "libpython3.so")
    assert [missing_remedy(name) for name in PEERS] == [None] * 5
    monkeypatch.setattr(find_libpython, "find_libpython", lambda: None)
    assert "--enable-shared" in missing_remedy("cocotb")
    monkeypatch.setattr(opening, "_is_installed", lambda module: module == "cocotb")
    assert missing_remedy("cocotb") == "cocotb is not installed: pip install 'systolith[compare]'"
    assert missing_remedy("pyverilator") == "pyverilator is not installed: pip install 'systolith[compare]'"
    assert missing_remedy("amaranth") is None


def test_is_installed():
    assert opening._is_installed("numpy")
    assert not opening._is_installed("no_such_package.axi")
