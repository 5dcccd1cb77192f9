"""systolith bench sim."""

import pytest
from systolith.bench import sim

FIGURES = ("cycles", "cpu_seconds", "wall_seconds", "cycles_per_second", "ratio_to_stock", "ratio_to_loops")
ARRAY = "2x4-axi64-a64-b64-acc16"


@pytest.fixture(autouse=True)
def little_work(monkeypatch):
    monkeypatch.setattr(sim, "SHORT", sim.Work(m=3, k=6, n=5, count=2))
    monkeypatch.setattr(sim, "LONG", sim.Work(m=8, k=16, n=12, count=3))
    monkeypatch.setattr(sim, "SHORT_RUNS", 1)


@pytest.mark.long
def test_bench_sim(systolith):
    """Every simulation that there is."""
    result = systolith("bench", "sim", "--array", ARRAY, "--repeats", 1, "--json")
    assert result.code == 0
    data = result.json
    measured = [row for row in data["rows"] if not row["missing"]]
    assert {row["simulation"] for row in data["rows"]} == {
        *("loops", "stock", "cocotb", "pyverilator", "amaranth")
    }
    for row in measured:
        assert row["mismatches"] == 0
        assert all(row[figure] > 0 for figure in FIGURES)
    assert data["floors"] == []
    assert data["host"]["processors"] >= 1


@pytest.mark.slow
def test_bench_sim_prints(systolith):
    result = systolith("bench", "sim", "--array", ARRAY, "--repeats", 1, "--simulation", "none")
    assert result.code == 0
    assert "2 × 3×6×5" in result.out
    assert "cocotb" not in result.out


def test_bench_sim_wrong_result(systolith, monkeypatch):
    """A wrong result ends with exit code 1; a missed floor is told."""
    row = {
        "array": "16x16",
        "simulation": "loops",
        "work": "1 × 1×1×1",
        **dict.fromkeys(FIGURES, 1.0),
        "runs": 5,
        "build_seconds": None,
        "mismatches": 3,
        "missing": None,
    }
    other = {"array": "16x16", "simulation": "cocotb", "missing": "pip install 'x[y]'", "mismatches": None}
    floor = {"figure": "ratio_to_stock", "value": 2.0, "floor": 5.0, "passed": False}
    monkeypatch.setattr("systolith.cli.bench_sim.measure_simulations", lambda *_, **__: [row, other])
    monkeypatch.setattr("systolith.cli.bench_sim.simulation_floors", lambda *_: [floor])
    result = systolith("bench", "sim")
    assert result.code == 1
    assert "pip install 'x[y]'" in result.out
    assert "✗ loops, ratio to stock: 2.00, floor 5" in result.out
    row["mismatches"] = 0
    assert systolith("bench", "sim").code == 0


def test_bench_sim_wrong(fails, monkeypatch):
    assert "--array" in fails("bench", "sim", "--array", "3x3")
    monkeypatch.setattr(sim, "LONG", sim.Work(m=1, k=129, n=1, count=1))
    assert "K must be at most 128 to fit the A buffer, not 129" in fails(
        "bench", "sim", "--array", "4x4-a32-b128"
    )
    assert "--simulation" in fails("bench", "sim", "--simulation", "spice")
