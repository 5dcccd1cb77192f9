"""The measuring of the cycle model."""

import dataclasses
import importlib

import pytest
from systolith import ArrayConfig
from systolith.bench import cycles
from systolith.bench.cycles import layer_cases, measure_layer
from systolith.simulated.cycles import time_cycles
from systolith_sim.peers.scale_sim import ScaleSimAnswer

CONFIG = ArrayConfig.parse("4x4")


def test_layer_cases():
    cases = layer_cases(32)
    macs = sum(case.batch * case.m * case.k * case.n for case in cases.values())
    # Four square products, two to and from the hidden width, two of attention.
    assert macs == 32 * (4 * 384 * 384 + 2 * 384 * 1536) + 2 * 12 * 32 * 32 * 32


def test_placed():
    """No two matrices overlap, and none lies where the ring is."""
    cases = layer_cases(9)
    descriptors, end = cycles._placed(CONFIG, cases.values())
    places = []
    for case, d in zip(cases.values(), descriptors, strict=True):
        b_rows = case.k if case.b_layout.name == "KN" else case.n
        places += [
            (d.a_address, case.batch * case.m * d.a_stride),
            (d.b_address, case.batch * b_rows * d.b_stride),
            (d.d_address, case.batch * case.m * d.d_stride),
        ]
    places.sort()
    assert places[0][0] >= 64 * 128
    for (start, size), (following, _) in zip(places, [*places[1:], (end, 0)], strict=True):
        assert start + size <= following
    assert end % 4096 == 0


@pytest.mark.slow
def test_measure_layer(monkeypatch):
    def answer(python, config, shapes):
        assert (python, config) == ("some-python", CONFIG)
        assert len(shapes) == len(set(shapes)) == 5
        return "3.0", [ScaleSimAnswer(cycles=1000 * m, cpu_seconds=0.5) for m, _, _ in shapes]

    monkeypatch.setattr("systolith.simulated.cycles.scale_sim_cycles", answer)
    layer = measure_layer(CONFIG, 2, repeats=1, scale_sim_python="some-python")
    assert layer["mismatches"] == 0
    assert layer["rtl_cycles"] == layer["model_cycles"] == sum(row["rtl_cycles"] for row in layer["rows"])
    assert all(row["error_cycles"] == 0 for row in layer["rows"])
    by_name = {row["name"]: row for row in layer["rows"]}
    assert by_name["scores"]["scale_sim_cycles"] == 12 * 2000
    up = by_name["up"]
    assert up["scale_sim_error"] == pytest.approx(2000 / up["rtl_cycles"] - 1)
    assert layer["scale_sim_cycles"] == 6 * 2000 + 2 * 12 * 2000
    assert layer["scale_sim_seconds"] == 2.5
    assert layer["speed_ratio"] == pytest.approx(layer["rtl_seconds"] / layer["model_seconds"])


@pytest.mark.slow
def test_time_cycles_tells_difference(monkeypatch):
    """A cycle model that is wrong by one cycle of one counter is counted."""
    # The package exports a function of the module's name.
    module = importlib.import_module("systolith_sim.cycles.compare")
    case = layer_cases(2)["scores"]
    descriptors, memory_bytes = cycles._placed(CONFIG, [case, case])
    options = {"memory_bytes": memory_bytes, "latency_cycles": 7, "repeats": 1}
    right = time_cycles(CONFIG, descriptors, **options)
    assert (right.mismatches, right.model) == (0, right.rtl)
    predict = module.predict_completions

    def wrong(*arguments, **named):
        first, *rest = predict(*arguments, **named)
        counters = dataclasses.replace(first.counters, drain=first.counters.drain + 1)
        return [dataclasses.replace(first, counters=counters), *rest]

    monkeypatch.setattr(module, "predict_completions", wrong)
    assert time_cycles(CONFIG, descriptors, **options).mismatches == 1
