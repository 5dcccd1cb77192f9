"""A layer of MiniLM on the netlist of a board: the same bits and the same cycles as on rtl."""

import pytest
import torch
from sw.netlists import NETLISTS
from systolith import open_device
from systolith.torch import Verifier, offload
from systolith.torch.models import load_minilm
from systolith_hw.boards import find_board
from systolith_sim import MemoryTiming

FEATURES = 384
WEIGHTS = 4 * FEATURES * FEATURES + 2 * FEATURES * 1536
"""Of the linear layers: queries, keys, values and output of the attention; the feed-forward network."""

TIMING = MemoryTiming(latency_cycles=10, write_latency_cycles=10)
"""As quick as a board's memory, so that fewer cycles have to be simulated."""


@pytest.fixture(scope="module")
def encoder():
    """Embeddings and the first layer."""
    return load_minilm(layers=1).encoder


def run(target, config, encoder, *, tokens):
    """What comes out, checked against golden, and the label and the counters of every product."""
    verifier = Verifier()
    ids = torch.randint(1000, 20_000, (1, tokens), generator=torch.Generator().manual_seed(tokens))
    with open_device(target, config, timing=TIMING) as device, torch.inference_mode():
        result = offload(encoder, device=device, verifier=verifier)(ids).last_hidden_state
        assert verifier.bit_exact
        assert verifier.macs == device.trace.macs == tokens * (WEIGHTS + 2 * FEATURES * tokens)
        return result, [(record.label, record.counters) for record in device.trace]


def check_layer(board, config, encoder, *, tokens):
    """Run the layer on both targets; return the products' labels."""
    result, counted = run(f"netlist:{board}", config, encoder, tokens=tokens)
    wanted, wanted_counted = run("rtl", config, encoder, tokens=tokens)
    assert torch.equal(result, wanted)
    assert counted == wanted_counted
    return [label for label, _ in counted]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_layer(encoder):
    """Weights resident, each product one descriptor."""
    board = "ulx3s-25f"
    labels = check_layer(board, NETLISTS[board], encoder, tokens=5)
    assert len(labels) == len(set(labels)) == 8


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("board", NETLISTS)
def test_layer_of_board(board, encoder):
    """On the array that the board has, with as little memory as it reaches: products in parts."""
    labels = check_layer(board, find_board(board).array, encoder, tokens=8)
    assert len(labels) > len(set(labels)) == 8
