"""The description of the memory's timing."""

from fractions import Fraction

import pytest
from systolith_sim import MemoryTiming


def test_init():
    timing = MemoryTiming(read_bandwidth=1, stall_probability={"w": 0.5})
    assert timing.read_bandwidth == Fraction(1)
    assert timing.stall_probability == {"ar": 0, "r": 0, "aw": 0, "w": 0.5, "b": 0}
    assert timing == MemoryTiming(stall_probability={"w": 0.5})
    assert hash(timing) == hash(MemoryTiming(stall_probability={"w": 0.5}))
    assert timing != MemoryTiming(stall_probability=0.5)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"latency_cycles": 0}, ValueError, "latency_cycles must be at least 1 and below 4294967296, not 0"),
        ({"latency_cycles": 1.0}, TypeError, "latency_cycles must be an int, not 1.0"),
        ({"write_latency_cycles": 0}, ValueError, "write_latency_cycles must be at least 1"),
        ({"read_bandwidth": 0.5}, TypeError, "read_bandwidth must be a Fraction or an int, not 0.5"),
        (
            {"read_bandwidth": 0},
            ValueError,
            "read_bandwidth must be above 0 and at most 1 beat per cycle, not 0",
        ),
        ({"write_bandwidth": Fraction(3, 2)}, ValueError, "at most 1 beat per cycle, not 3/2"),
        ({"write_bandwidth": Fraction(1, 65537)}, ValueError, "a denominator of at most 65536, not 65537"),
        (
            {"stall_probability": 1},
            ValueError,
            "stall_probability must be from 0 up to, not including, 1, not 1",
        ),
        ({"stall_probability": "0"}, TypeError, "stall_probability must be a number, not '0'"),
        (
            {"stall_probability": {"x": 0}},
            ValueError,
            "stall_probability must be for ar, r, aw, w, b, not 'x'",
        ),
        ({"seed": -1}, ValueError, "seed must be at least 0"),
    ],
)
def test_init_wrong(arguments, error, message):
    with pytest.raises(error, match=message):
        MemoryTiming(**arguments)
