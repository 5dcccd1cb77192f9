import random

import pytest
from hw.streams import lanes, small_config, trace
from systolith_hw.row_feeder import RowFeeder


@pytest.mark.parametrize(("rows", "bits"), [(4, 32), (4, 128), (2, 64), (8, 32)])
def test_sim_random(rows, bits):
    config = small_config(rows=rows, axi_data_bits=bits)
    rng = random.Random(rows + bits)
    stimuli = [
        {
            "swap": rng.randrange(2),
            "k_part": rng.randrange(config.k_tiles_per_line),
            "k_depth": rng.choice([rows, rng.randint(1, rows)]),
            "read_data": rng.getrandbits(8 * config.line_bytes),
        }
        for _ in range(100)
    ]
    outputs = trace(RowFeeder(config), stimuli, ["a", "swap_out"])
    for t in range(len(stimuli) - RowFeeder.LATENCY):
        line = stimuli[t + 1]["read_data"].to_bytes(config.line_bytes, "little")
        start, depth = stimuli[t]["k_part"] * rows, stimuli[t]["k_depth"]
        row = [*line[start : start + depth], *[0] * (rows - depth)]
        seen = outputs[t + RowFeeder.LATENCY]
        assert [value % 256 for value in lanes(seen["a"], 8, rows)] == row
        assert seen["swap_out"] == stimuli[t]["swap"]
