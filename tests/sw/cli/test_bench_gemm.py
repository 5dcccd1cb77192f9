"""systolith bench gemm."""

import pytest
from systolith import ArrayConfig
from systolith.bench.gemm_cases import gemm_cases


def test_cases():
    """Of the shapes asked for, those that the output path does not bound."""
    for rows in (8, 16, 32):
        config = ArrayConfig(rows=rows, columns=rows)
        cases = list(gemm_cases(config))
        assert {case.kind for case in cases} == {"linear", "attention", "decode"}
        for case in cases:
            element = {0: 4, 1: 1}[int(case.output)]
            written = case.batch * case.m * case.n * element / config.bus_bytes
            assert written < case.descriptor(config).roofline_cycles(config)


@pytest.mark.slow
def test_bench_gemm(systolith):
    result = systolith("bench", "gemm", "--array", "8x8", "--kind", "attention", "--json")
    rows = result.json["rows"]
    assert result.code == (1 if result.json["missed"] else 0)
    for row in rows:
        assert row["mismatches"] == 0
        assert sum(row["counters"].values()) == row["cycles"] == sum(row["each"])
        assert row["passed"] == (row["cycles"] <= row["floor"] * row["roofline_cycles"])
    assert result.json["worst"]["attention"] == max(row["ratio"] for row in rows)
    (group,) = result.json["groups"]
    assert (group["kind"], group["cases"]) == ("attention", len(rows))
    assert group["worst_ratio"] == result.json["worst"]["attention"]
    assert {peer["name"] for peer in result.json["peers"]} == {"OpenGeMM", "RedMulE"}


def test_bench_gemm_wrong(fails):
    assert "--array" in fails("bench", "gemm", "--array", "3x3")
    assert "K must be at most 128 to fit the A buffer, not 1536" in fails(
        "bench", "gemm", "--array", "4x4-a32-b128"
    )
