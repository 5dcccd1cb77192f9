"""A whole board's netlist behind its serial pins: the same bits and the same cycles as the design there."""

import numpy as np
import pytest
from sw.netlists import NETLISTS
from sw.oracle import gemm
from systolith import matmul, open_device

BOARD = "tang-nano-9k"

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]


def counted(target):
    """The counters of some products, whose results are checked."""
    rng = np.random.default_rng(1)
    with open_device(target) as device:
        assert device.config == NETLISTS[BOARD]
        for m, k, n in [(1, 1, 1), (5, 9, 7), (16, 24, 3)]:
            a, b = (rng.integers(-128, 128, shape, np.int8) for shape in [(m, k), (k, n)])
            np.testing.assert_array_equal(matmul(a, b, device=device), gemm(a, b))
        return [record.counters for record in device.trace]


def test_products(start_board):
    options = ["--board", BOARD, "--array", str(NETLISTS[BOARD]), "--memory", "8"]
    netlist = start_board(*options, "--netlist")
    assert netlist.facts["netlist"] is True
    design = start_board(*options)
    assert counted(netlist.target) == counted(design.target)
    assert netlist.end() == design.end() == 0
