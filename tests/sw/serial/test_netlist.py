"""A whole board's netlist behind its serial pins: the same bits and the same cycles as the design there."""

import numpy as np
import pytest
import torch
from sw.netlists import NETLISTS
from sw.oracle import gemm
from systolith import matmul, open_device
from systolith.torch import Verifier, offload
from systolith.torch.models import load_minilm

BOARD = "tang-nano-9k"

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]


def products(device):
    """Some products, whose results are checked."""
    rng = np.random.default_rng(1)
    assert device.config == NETLISTS[BOARD]
    for m, k, n in [(1, 1, 1), (5, 9, 7), (16, 24, 3)]:
        a, b = (rng.integers(-128, 128, shape, np.int8) for shape in [(m, k), (k, n)])
        np.testing.assert_array_equal(matmul(a, b, device=device), gemm(a, b))


def layer(device):
    """Embeddings and the first layer of MiniLM, compared with golden."""
    verifier = Verifier()
    with torch.inference_mode():
        offload(load_minilm(layers=1).encoder, device=device, verifier=verifier)(torch.tensor([[101, 102]]))
    assert verifier.bit_exact
    assert verifier.macs == device.trace.macs > 0


def compare(start_board, options, work):
    """Do the work on a board's netlist and on its design, and compare what the boards counted."""
    netlist = start_board(*options, "--netlist")
    assert netlist.facts["netlist"] is True
    boards = [netlist, start_board(*options)]
    counted = []
    for board in boards:
        with open_device(board.target) as device:
            work(device)
            counted.append([(record.label, record.counters) for record in device.trace])
    assert counted[0] == counted[1] != []
    assert [board.end() for board in boards] == [0, 0]


def test_products(start_board):
    compare(start_board, ["--board", BOARD, "--array", str(NETLISTS[BOARD]), "--memory", "8"], products)


@pytest.mark.timeout(3600)
def test_layer(start_board):
    """On a board as it is, memory and all."""
    compare(start_board, ["--board", "icebreaker"], layer)
