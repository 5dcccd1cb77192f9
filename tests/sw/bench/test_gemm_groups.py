"""The grouping of bench gemm's results."""

import pytest
from systolith.bench.gemm_groups import case_name, gemm_groups


def row(array, kind, ratio, *, passed=True, utilization=0.5, m=1):
    return {
        "array": array,
        "kind": kind,
        "batch": 1,
        "m": m,
        "k": 64,
        "n": 32,
        "b_layout": "nk",
        "out": "int8",
        "ratio": ratio,
        "floor": 1.05,
        "passed": passed,
        "utilization": utilization,
        "cycles": 200,
        "counters": {"compute": 150, "wait_a": 50},
    }


def test_case_name():
    assert case_name(row("8x8", "linear", 1.0)) == "1×64×32 nk int8"
    assert case_name(row("8x8", "linear", 1.0) | {"batch": 9}) == "9 × 1×64×32 nk int8"


def test_gemm_groups():
    rows = [
        row("8x8", "linear", 1.01, utilization=0.9),
        row("8x8", "linear", 1.20, passed=False, utilization=0.7, m=5),
        row("8x8", "linear", 1.02, utilization=0.8),
        row("8x8", "decode", 1.00),
        row("16x16", "linear", 1.03),
    ]
    groups = gemm_groups(rows)
    assert [(group["array"], group["kind"], group["cases"]) for group in groups] == [
        ("8x8", "linear", 3),
        ("8x8", "decode", 1),
        ("16x16", "linear", 1),
    ]
    first = groups[0]
    assert (first["median_ratio"], first["worst_ratio"], first["missed"]) == (1.02, 1.20, 1)
    assert (first["median_utilization"], first["least_utilization"]) == (0.8, 0.7)
    assert first["worst_case"] == "5×64×32 nk int8"
    assert first["shares"] == pytest.approx({"compute": 0.75, "wait_a": 0.25})
