"""Bytes that GEMMs move, beside the cycles that a memory of little bandwidth takes for them."""

from fractions import Fraction

import numpy as np
import pytest
from systolith import ArrayConfig, open_device
from systolith.traffic import traffic
from systolith_sim import MemoryTiming

CONFIG = ArrayConfig(rows=4, columns=4, accumulator_rows=32)
SLOW = 200
"""Cycles per beat: what is not waiting for the memory is less than a beat's time."""


@pytest.mark.slow
@pytest.mark.parametrize(("m", "k", "n"), [(16, 64, 64), (80, 64, 32), (1, 128, 64)])
@pytest.mark.parametrize("out", ["int32", "int8"])
def test_traffic_beside_bandwidth(m, k, n, out):
    """With one channel so slow that it decides, cycles tell the beats that were moved."""
    rng = np.random.default_rng(0)
    a = rng.integers(-128, 128, (m, k), np.int8)
    b = rng.integers(-128, 128, (n, k), np.int8)
    epilogue = {"multiplier": 1, "shift": 8} if out == "int8" else {}
    beats = {}
    for channel in ("read", "write"):
        timing = MemoryTiming(**{f"{channel}_bandwidth": Fraction(1, SLOW)})
        with (
            open_device("model", CONFIG, memory_bytes=1 << 20, timing=timing) as device,
            device.queue() as queue,
        ):
            queue.matmul(a, b, b_layout="nk", out=out, **epilogue)
        beats[channel] = device.trace.cycles / SLOW
    moved = traffic(device.trace)
    bus = CONFIG.bus_bytes
    assert beats["read"] == pytest.approx(moved.read_bytes / bus, rel=0.1, abs=12)
    assert beats["write"] == pytest.approx(moved.written_bytes / bus, rel=0.1, abs=4)


def test_traffic():
    """Counted by hand."""
    a, b = np.ones((80, 64), np.int8), np.ones((3, 64, 32), np.int8)
    with open_device("golden", CONFIG, memory_bytes=1 << 20) as device, device.queue() as queue:
        queue.matmul(a, b)
        queue.matmul(a, b[0], out="int8", multiplier=1, shift=4)
    blocks = -(-80 // CONFIG.max_m_block(64))
    assert blocks > 1
    three, one = device.trace
    assert traffic([three]) == (3 * (80 * 64 + blocks * 64 * 32), 3 * 80 * 32 * 4)
    assert traffic([one]) == (80 * 64 + blocks * (64 * 32 + 32 * 8), 80 * 32)
    assert traffic([]) == (0, 0)
