"""The measuring of simulations."""

import pytest
from systolith import ArrayConfig
from systolith.bench import sim
from systolith.bench.sim import Work, measure_simulations, simulation_floors
from systolith.simulated.peers import Peer

CONFIG = ArrayConfig.parse("2x4-axi64-a64-b64-acc16")


@pytest.fixture(autouse=True)
def little_work(monkeypatch):
    monkeypatch.setattr(sim, "SHORT", Work(m=3, k=6, n=5, count=2))
    monkeypatch.setattr(sim, "LONG", Work(m=8, k=16, n=12, count=3))
    monkeypatch.setattr(sim, "SHORT_RUNS", 2)


@pytest.mark.slow
def test_measure_simulations():
    told = []
    rows = measure_simulations(CONFIG, names=["pyverilator", "amaranth"], repeats=2, progress=told.append)
    assert [(row["simulation"], row["work"]) for row in rows] == [
        ("loops", "2 × 3×6×5"),
        ("stock", "2 × 3×6×5"),
        ("pyverilator", "2 × 3×6×5"),
        ("amaranth", "2 × 3×6×5"),
        ("loops", "3 × 8×16×12"),
        ("stock", "3 × 8×16×12"),
    ]
    assert [row["runs"] for row in rows] == [4, 4, 2, 2, 2, 2]
    for row in rows:
        assert (row["mismatches"], row["missing"]) == (0, None)
        assert row["cycles_per_second"] == pytest.approx(row["cycles"] / row["cpu_seconds"])
        assert row["build_seconds"] is None or row["build_seconds"] > 0
    short, long = rows[:4], rows[4:]
    assert len({row["cycles"] for row in short}) == 1
    assert len({row["cycles"] for row in long}) == 1
    for group in short, long:
        loops, stock, *_ = group
        for row in group:
            assert row["ratio_to_stock"] * stock["cycles_per_second"] == pytest.approx(
                row["cycles_per_second"]
            )
            assert row["ratio_to_loops"] * loops["cycles_per_second"] == pytest.approx(
                row["cycles_per_second"]
            )
    assert "simulating 2 × 3×6×5 in amaranth" in told


@pytest.mark.slow
def test_measure_simulations_missing(monkeypatch):
    """One that is not installed is told, and the others are measured."""
    monkeypatch.setattr(Peer, "missing", staticmethod(lambda name: f"install {name}"))
    rows = measure_simulations(CONFIG, names=["cocotb"], repeats=1)
    assert [row["simulation"] for row in rows] == ["loops", "stock", "loops", "stock", "cocotb"]
    assert (rows[-1]["missing"], rows[-1]["cycles"]) == ("install cocotb", None)


def row(ratio, speed):
    return {
        "simulation": "loops",
        "work": str(sim.LONG),
        "ratio_to_stock": ratio,
        "cycles_per_second": speed,
    }


@pytest.mark.parametrize(
    ("array", "passed"), [("16x16", [True, False]), ("32x32", [False]), ("8x8", []), ("16x32", [])]
)
def test_simulation_floors(array, passed):
    rows = [row(1.0, 1.0) | {"simulation": "stock"}, row(7.0, 0.9e6)]
    floors = simulation_floors(ArrayConfig.parse(array), rows)
    assert [floor["passed"] for floor in floors] == passed
    assert {floor["work"] for floor in floors} <= {str(sim.LONG)}


def test_work_text():
    assert str(Work(m=1, k=2, n=3, count=4)) == "4 × 1×2×3"
