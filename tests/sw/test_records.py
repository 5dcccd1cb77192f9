"""Records and their sums."""

import pytest
from systolith import ArrayConfig, Record, Trace
from systolith.tiling import Placement, Problem, batches, descriptors
from systolith_hw import BLayout, Counters, Output

CONFIG = ArrayConfig()


def record(m, k, n, *, total=None, label="x", config=CONFIG):
    problem = Problem(m, k, n, BLayout.KN, Output.INT32, False, False)
    parts = descriptors(problem, batches((), ()), Placement(0, 1 << 20, 0, 1 << 10, 0, 1 << 10, 0), config)
    counters = total and Counters(compute=total - 5, wait_a=1, wait_b=1, wait_output=1, fill=1, drain=1)
    return Record(label, 1, m, k, n, BLayout.KN, Output.INT32, "golden", config, parts, counters, 0.5)


def test_record():
    one = record(64, 64, 64, total=2048)
    assert one.macs == 64**3
    assert one.cycles == 2048
    assert one.roofline_cycles == 64**3 // 256
    assert one.utilization == pytest.approx(0.5)


def test_record_without_counters():
    one = record(64, 64, 64)
    assert one.cycles is None
    assert one.utilization is None
    assert Trace([one, record(1, 1, 1, total=10)]).counters is None
    assert Trace([one]).cycles is None
    assert Trace([one]).utilization is None


def test_roofline_of_split_k():
    """D counts once in the roofline, however many parts K was split into."""
    config = ArrayConfig(rows=4, columns=4, a_buffer_lines=32)
    one = record(64, 256, 256, config=config)
    assert len(one.descriptors) > 1
    assert one.roofline_cycles == max(64 * 256 * 256 // 16, 64 * 256 * 4 // 4)


def test_trace():
    trace = Trace([record(64, 64, 64, total=2048), record(64, 64, 64, total=1024), record(8, 8, 8, total=9)])
    assert trace.macs == 2 * 64**3 + 512
    assert trace.cycles == 2048 + 1024 + 9
    assert trace.seconds == pytest.approx(1.5)
    assert trace.counters.wait_b == 3
    assert sum(trace.counters.parts.values()) == trace.cycles
    assert trace.utilization == pytest.approx(trace.macs / 256 / trace.cycles)
    assert trace.roofline_cycles == sum(each.roofline_cycles for each in trace)
    groups = trace.groups()
    assert {key: len(group) for key, group in groups.items()} == {(1, 64, 64, 64): 2, (1, 8, 8, 8): 1}
    assert trace.groups(key=lambda each: each.label)["x"] == trace


def test_empty_trace():
    trace = Trace()
    assert (trace.macs, trace.cycles, trace.seconds, trace.utilization) == (0, 0, 0, None)
