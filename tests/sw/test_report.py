"""The report: one row per shape, and sums that agree."""

import numpy as np
import pytest
from systolith import ArrayConfig, Trace, matmul, report
from systolith_hw import Counters


@pytest.fixture
def trace(golden):
    rng = np.random.default_rng(3)

    def run(a_shape, b_shape, b_layout):
        a, b = (rng.integers(-128, 128, shape, np.int8) for shape in (a_shape, b_shape))
        matmul(a, b, device=golden, b_layout=b_layout)

    run((2, 5, 7), (2, 7, 3), "kn")
    run((4, 8), (8, 40), "kn")
    run((4, 8), (40, 8), "nk")
    run((2, 5, 7), (2, 7, 3), "kn")
    return golden.trace


def with_cycles(trace, target="rtl"):
    """The records as a target with cycles would make them: 1000 times their MACs' minimum, plus a wait."""
    records = Trace()
    for record in trace:
        compute = -(-record.macs // record.config.peak_macs_per_cycle)
        counters = Counters(compute=compute, wait_a=1, wait_b=2, wait_output=3, fill=3, drain=1)
        records.append(record._replace(target=target, counters=counters, seconds=0.5))
    return records


def test_rows(trace):
    rows = report.rows(trace)
    assert [(row.kind, row.count, row.macs) for row in rows] == [
        ("4×8×40 kn", 1, 1280),
        ("4×8×40 nk", 1, 1280),
        ("2 × 5×7×3 kn", 2, 420),
    ]
    for row in rows:
        assert (row.cycles, row.utilization, row.counters, row.ratio, row.simulation_hz) == (None,) * 5


def test_total(trace):
    total = report.total(trace)
    assert (total.kind, total.count, total.macs) == ("total", 4, 2980)
    assert total.roofline_cycles == sum(row.roofline_cycles for row in report.rows(trace))


def test_rows_with_cycles(trace):
    records = with_cycles(trace)
    total = report.total(records)
    rows = report.rows(records)
    assert total.cycles == sum(row.cycles for row in rows) == 5 + 5 + 1 + 1 + 4 * 10
    assert total.counters.wait_output == 12
    assert sum(total.counters.parts.values()) == total.cycles
    assert total.utilization == pytest.approx(2980 / (total.cycles * ArrayConfig().peak_macs_per_cycle))
    assert total.simulation_hz == total.cycles / 2.0
    assert total.ratio == total.cycles / total.roofline_cycles


def test_as_dict(trace):
    row = report.total(with_cycles(trace)).as_dict()
    assert row["counters"]["total"] == row["cycles"]
    assert row["sim_hz"] == row["cycles"] / 2.0
    assert row["cycle_source"] == "counted by the hardware"
    without = report.total(trace).as_dict()
    assert without["counters"] is without["cycle_source"] is None


def test_predicted(trace):
    """The speed of a target that does not run its cycles says nothing."""
    row = report.total(with_cycles(trace, "model")).as_dict()
    assert row["cycle_source"] == "predicted by the cycle model"
    assert row["cycles"] > 0
    assert row["sim_hz"] is None
