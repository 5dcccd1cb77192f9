"""A simulated board is built, found again in the cache, and switched on."""

import dataclasses
from pathlib import Path

import pytest
from systolith_hw.board.sdram import IS42S16160G
from systolith_hw.config import ArrayConfig
from systolith_sim.errors import SimulationError
from systolith_sim.netlist import board as netlist_board
from systolith_sim.netlist import build_netlist, find_subject
from systolith_sim.netlist import model as netlist_model
from systolith_sim.simboard import BoardSetup, SimulatedBoard, build, emit
from systolith_sim.simboard import sdram as simulated_sdram

CONFIG = ArrayConfig(rows=2, columns=2)
SETUP = BoardSetup(config=CONFIG, sdram=IS42S16160G, baud=2_000_000)
ON_CHIP = BoardSetup(config=CONFIG, memory_bytes=4096)
NETLIST = dataclasses.replace(ON_CHIP, part="ecp5")
CHANGES = {
    "queue_bytes": {"queue_bytes": 1024},
    "bus_registers": {"bus_registers": False},
    "sdram": {"sdram": dataclasses.replace(IS42S16160G, cas_latency=3)},
}


@pytest.fixture
def emitted(monkeypatch, tmp_path):
    """What is emitted for a board, or was before; ``emitted.text`` is what would be emitted now."""

    class Emitted:
        text = "first"

        def __call__(self, setup):
            monkeypatch.setattr(emit, "_emit", lambda setup: f"{self.text} {setup!r}")
            monkeypatch.setattr(netlist_board, "_emit", lambda setup, vendor: f"{self.text} {setup!r}")
            verilog = build.build_board(setup, cache=tmp_path)
            return verilog.splitlines()[-1]

    monkeypatch.setattr(build, "build_board_verilog", lambda verilog, **_: verilog)
    monkeypatch.setattr(netlist_board, "synthesize", lambda design, **_: design)
    return Emitted()


@pytest.fixture
def change(monkeypatch):
    """Have a module's source be another."""

    def change(module):
        changed, read = Path(module.__file__), Path.read_bytes
        monkeypatch.setattr(
            Path, "read_bytes", lambda path: read(path) + (b"# another" if path == changed else b"")
        )

    return change


@pytest.mark.parametrize(
    ("setup", "changes"),
    [
        *((SETUP, each) for each in CHANGES.values()),
        *((NETLIST, CHANGES[name]) for name in list(CHANGES)[:2]),
    ],
)
def test_parameters(emitted, setup, changes):
    """Boards that people are told the same of are told apart."""
    other = dataclasses.replace(setup, **changes)
    assert str(other) == str(setup)
    assert emitted(setup) == f"first {setup!r}"
    assert emitted(other) == f"first {other!r}"


@pytest.mark.parametrize(
    ("setup", "module"), [(SETUP, emit), (SETUP, simulated_sdram), (NETLIST, netlist_board)]
)
def test_sources(emitted, change, setup, module):
    """What is in the cache counts only as long as the code that made it is the same."""
    emitted(setup)
    emitted.text = "second"
    assert emitted(setup) == f"first {setup!r}"
    change(module)
    assert emitted(setup) == f"second {setup!r}"


def test_sources_of_a_netlist(change, monkeypatch, tmp_path):
    monkeypatch.setattr(netlist_model, "synthesize", lambda design, **_: design)
    monkeypatch.setattr(netlist_model, "build_verilog", lambda verilog, **_: verilog)

    def entries():
        build_netlist(find_subject("ecp5"), CONFIG, cache=tmp_path)
        return {path.name for path in (tmp_path / "rtlil").iterdir()}

    before = entries()
    assert entries() == before
    change(netlist_model)
    assert len(entries()) == len(before) + 1


def test_failing_model(tmp_path):
    """A model that fails as it is switched on says why."""
    verilog = """
        module board(input clk, input rst, input rx, output tx, output [1:0] leds);
          assign tx = 1;
          assign leds = 0;
          always @(posedge clk) if (rst) $fatal(1, "broken");
        endmodule
        """
    library = build.build_board_verilog(verilog, cache=tmp_path)
    with pytest.raises(SimulationError, match=r"^board.v:5: Assertion failed in .*: broken$"):
        SimulatedBoard(library, ON_CHIP)
