import random

import numpy as np
import pytest
from hw.streams import lanes, trace
from systolith_hw.array import SystolicArray
from systolith_hw.pe import ProcessingElement

PSUM_BITS = 20


GEOMETRIES = [
    *[(rows, columns, 1) for rows, columns in [(2, 2), (4, 2), (2, 8), (4, 4)]],
    *[(rows, columns, width) for rows, columns in [(4, 4), (8, 4), (4, 8)] for width in (2, columns)],
]
"""Rows, columns, columns of a tile."""


def make(rows, columns, tile_columns=1):
    return SystolicArray(
        rows=rows, columns=columns, operand_bits=8, psum_bits=PSUM_BITS, tile_columns=tile_columns
    )


def load_line(tile, *, by_column, index):
    line = tile[:, index] if by_column else tile[index]
    return {"valid": 1, "by_column": by_column, "index": index, "weights": [int(x) for x in line]}


class Schedule:
    """Which row and which line of weights enters the array in which cycle."""

    def __init__(self, rows, columns, tile_columns=1, *, seed):
        self.dut = make(rows, columns, tile_columns)
        self.rows, self.columns, self.tile_columns = rows, columns, tile_columns
        self.random = np.random.default_rng(seed)
        self.loads, self.a, self.swaps, self.expected = {}, {}, set(), {}

    def tile(self):
        return self.random.integers(-128, 128, (self.rows, self.columns))

    def load(self, cycle, tile, *, by_column):
        """Load a tile from a cycle on; return the cycle after its last line."""
        count = self.columns if by_column else self.rows
        for index in range(count):
            assert cycle + index not in self.loads
            self.loads[cycle + index] = load_line(tile, by_column=by_column, index=index)
        return cycle + count

    def compute(self, cycle, tile, m):
        """Swap a tile in and send rows through; return the cycle after the last of them."""
        self.swaps.add(cycle)
        for t in range(cycle, cycle + m):
            assert t not in self.a
            self.a[t] = self.random.integers(-128, 128, self.rows)
            self.expected[t] = self.a[t] @ tile
        return cycle + m

    def run(self):
        """The rows of sums, by the cycle in which their activations entered."""
        last = max([*self.a, *self.loads])
        idle = self.random.integers(-128, 128, (last + 1, self.rows))
        stimuli = [
            {
                "a": [int(x) for x in self.a.get(t, idle[min(t, last)])],
                "swap": t in self.swaps,
                "load": self.loads.get(t, {"valid": 0, "by_column": 0, "index": 0, "weights": []}),
            }
            for t in range(last + self.dut.latency + self.columns + 1)
        ]
        outputs = [lanes(cycle["psum"], 32, self.columns) for cycle in trace(self.dut, stimuli, ["psum"])]
        delays = [self.dut.latency + c // self.tile_columns for c in range(self.columns)]
        return {t: [outputs[t + delay][c] for c, delay in enumerate(delays)] for t in self.a}

    def wrong_rows(self):
        got = self.run()
        return {t for t, expected in self.expected.items() if got[t] != list(expected)}


def test_init():
    dut = make(8, 4)
    trace(dut, [], [])
    assert dut.latency == ProcessingElement.LATENCY + 7
    assert dut.swap_to_load == 6
    assert dut.column_lead == 0


@pytest.mark.parametrize(("rows", "columns", "tile_columns"), GEOMETRIES)
def test_sim_tiles(rows, columns, tile_columns):
    """Weights in both orders, each swapped in at the earliest cycle that the contract allows."""
    rng = random.Random(rows * columns)
    schedule = Schedule(rows, columns, tile_columns, seed=rows)
    dut = schedule.dut
    line_free = row_free = 0
    swapped = -100
    for _ in range(24):
        tile = schedule.tile()
        by_column = rng.random() < 0.5
        start = max(line_free, swapped + dut.swap_to_load)
        line_free = schedule.load(start, tile, by_column=by_column)
        swapped = max(row_free, start + dut.LOAD_TO_SWAP + by_column * dut.column_lead)
        row_free = schedule.compute(swapped, tile, rng.choice([1, 2, rows, rows + columns]))
    assert schedule.wrong_rows() == set()


@pytest.mark.parametrize(("rows", "columns", "tile_columns"), GEOMETRIES)
def test_sim_swap_to_load(rows, columns, tile_columns):
    """One cycle earlier than ``swap_to_load`` the next weights disturb these, in the order that is slower."""
    disturbed = {
        (by_column, early)
        for by_column in (False, True)
        for early in (0, 1)
        if _disturbed(rows, columns, tile_columns, by_column=by_column, early=early)
    }
    tiles = columns // tile_columns
    slower = [by_column for by_column, steps in ((True, rows), (False, tiles)) if steps == max(rows, tiles)]
    assert disturbed == {(by_column, 1) for by_column in slower}


def _disturbed(rows, columns, tile_columns, *, by_column, early):
    schedule = Schedule(rows, columns, tile_columns, seed=7)
    first, second = schedule.tile(), schedule.tile()
    schedule.load(0, first, by_column=by_column)
    swap = 20
    schedule.compute(swap, first, 12)
    schedule.load(swap + schedule.dut.swap_to_load - early, second, by_column=by_column)
    return schedule.wrong_rows() != set()


@pytest.mark.parametrize("by_column", [False, True])
@pytest.mark.parametrize(("early", "right"), [(0, True), (1, False)])
@pytest.mark.parametrize(("rows", "columns", "tile_columns"), GEOMETRIES)
def test_sim_load_to_swap(rows, columns, tile_columns, early, right, by_column):
    """One cycle earlier the weights are not there yet."""
    schedule = Schedule(rows, columns, tile_columns, seed=8)
    dut = schedule.dut
    tile = schedule.tile()
    schedule.load(1, tile, by_column=by_column)
    schedule.compute(1 + dut.LOAD_TO_SWAP + by_column * dut.column_lead - early, tile, 6)
    assert (schedule.wrong_rows() == set()) is right


def test_sim_extremes():
    """The largest sum of products fits the partial sums that a configuration derives."""
    rows = columns = 4
    dut = SystolicArray(rows=rows, columns=columns, operand_bits=8, psum_bits=18)
    tile = np.full((rows, columns), -128)
    loads = [{"load": load_line(tile, by_column=False, index=r)} for r in range(rows)]
    idle = {"load": {"valid": 0, "by_column": 0, "index": 0, "weights": []}, "swap": 0}
    go = idle | {"a": [-128] * rows, "swap": 1}
    cycles = len(loads) + dut.latency + columns
    outputs = trace(dut, [*loads, go, *[idle] * (dut.latency + columns)], ["psum"])
    assert lanes(outputs[cycles - columns]["psum"], 32, columns)[0] == rows * 128 * 128
