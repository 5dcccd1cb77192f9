"""systolith bench cycles."""

import sys

import pytest


@pytest.mark.slow
def test_bench_cycles(systolith):
    arguments = ("bench", "cycles", "--array", "4x4", "--tokens", 1, "--tokens", 2, "--repeats", 1)
    result = systolith(*arguments, "--json")
    assert result.code == 0
    layers = result.json["layers"]
    assert [layer["tokens"] for layer in layers] == [1, 2]
    for layer in layers:
        assert layer["mismatches"] == 0
        assert layer["rtl_cycles"] == layer["model_cycles"] > 0
        assert layer["scale_sim_cycles"] is None
    assert "pip install scalesim" in result.json["scale_sim_remedy"]
    plain = systolith(*arguments)
    assert plain.code == 0
    assert "1 × 1×384×1536 nk" in plain.out
    assert "0 of 8 products differ" in plain.out


def test_bench_cycles_differs(systolith, monkeypatch):
    row = {
        "name": "up",
        "batch": 1,
        "m": 1,
        "k": 1,
        "n": 1,
        "b_layout": "nk",
        "rtl_cycles": 10,
        "model_cycles": 11,
        "error_cycles": 1,
        "scale_sim_cycles": 12,
        "scale_sim_error": 0.2,
    }
    layer = {
        "array": "4x4",
        "tokens": 1,
        "rtl_cycles": 10,
        "model_cycles": 11,
        "mismatches": 1,
        "rtl_seconds": 2.0,
        "model_seconds": 1.0,
        "speed_ratio": 2.0,
        "floor": 100.0,
        "passed": False,
        "scale_sim_cycles": 12,
        "scale_sim_error": 0.2,
        "scale_sim_seconds": 3.0,
        "rows": [row],
    }
    monkeypatch.setattr("systolith.cli.bench_cycles.measure_layer", lambda *_, **__: layer)
    result = systolith("bench", "cycles", "--tokens", 1)
    assert result.code == 1
    assert "+20.0 %" in result.out
    assert "✗ 1 of 1 products differ" in result.out


def test_bench_cycles_wrong(fails):
    assert "--array" in fails("bench", "cycles", "--array", "3x3")
    assert "K must be at most 128 to fit the A buffer, not 1536" in fails(
        "bench", "cycles", "--array", "4x4-a32-b128"
    )
    assert "--tokens" in fails("bench", "cycles", "--tokens", 0)
    assert "--tokens" in fails("bench", "cycles", "--tokens", 100_000)


@pytest.mark.slow
def test_bench_cycles_without_scale_sim(fails):
    arguments = ("--array", "4x4", "--tokens", 1, "--repeats", 1, "--scalesim-python", sys.executable)
    assert "has no SCALE-Sim" in fails("bench", "cycles", *arguments, code=1)
