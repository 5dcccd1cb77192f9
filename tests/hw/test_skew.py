import random

import pytest
from amaranth.hdl import signed as signed_shape
from hw.streams import lanes, trace
from systolith_hw.skew import Skew


@pytest.mark.parametrize("count", [2, 5])
def test_sim_random(count):
    rng = random.Random(count)
    rows = [[rng.randint(-128, 127) for _ in range(count)] for _ in range(40)]
    outputs = trace(Skew(signed_shape(8), lanes=count), [{"i": row} for row in rows], ["o"])
    for t, cycle in enumerate(outputs):
        for lane, value in enumerate(lanes(cycle["o"], 8, count)):
            if t >= lane:
                assert value == rows[t - lane][lane]
