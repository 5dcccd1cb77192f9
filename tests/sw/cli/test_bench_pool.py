"""systolith bench pool."""

import pytest
from systolith.bench import pool


@pytest.mark.slow
def test_bench_pool(systolith, monkeypatch):
    monkeypatch.setattr(pool, "QUEUE", 4)
    monkeypatch.setattr(pool, "SHAPE", (16, 24, 32))
    monkeypatch.setattr(pool, "ROWS", 64)
    arguments = ("bench", "pool", "--array", "4x4", "--repeats", 1)
    result = systolith(*arguments, "--json")
    assert result.code == 0
    data = result.json
    assert data["workers"] == 2
    assert 0 < data["round_trip_ms"] < 1000
    for row, (products, m) in zip(data["rows"], ((4, 16), (1, 64)), strict=True):
        assert (row["products"], row["m"], row["mismatches"], row["floor"]) == (products, m, 0, 1.7)
        assert row["cycle_ratio"] == row["cycles"] / row["makespan_cycles"] > 1.6
        assert row["throughput_ratio"] == row["one_seconds"] / row["pool_seconds"]
        assert row["cpu_ratio"] > 0
        assert row["passed"] is (row["throughput_ratio"] >= 1.7)
    plain = systolith(*arguments)
    assert plain.code == 0
    assert "4 × 16×24×32" in plain.out
    assert "every result is right" in plain.out


def test_bench_pool_differs(systolith, monkeypatch):
    """A wrong result makes it fail, a slow machine does not."""
    row = dict.fromkeys(("products", "m", "k", "n", "cycles", "makespan_cycles"), 1)
    row |= dict.fromkeys(("cycle_ratio", "one_seconds", "pool_seconds", "cpu_ratio", "throughput_ratio"), 1.0)
    row |= {"floor": 1.7, "passed": False, "mismatches": 0}
    data = {"array": "4x4", "workers": 2, "round_trip_ms": 0.1, "rows": [row]}
    monkeypatch.setattr("systolith.cli.bench_pool.measure_pool", lambda *_, **__: data)
    assert systolith("bench", "pool").code == 0
    row["mismatches"] = 7
    result = systolith("bench", "pool")
    assert result.code == 1
    assert "7 elements are wrong" in result.out


def test_bench_pool_wrong(fails):
    assert "--array" in fails("bench", "pool", "--array", "3x3")
    assert "--workers" in fails("bench", "pool", "--workers", 0)
