"""MiniLM's products over the link, bit for bit; weights and activations are larger than the device memory."""

import pytest
import torch
from systolith import open_device
from systolith.torch import Verifier, offload
from systolith.torch.models import load_minilm

TOKENS = 32

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def layer():
    return load_minilm().encoder.encoder.layer[0]


def run(target, module, shape):
    """Run an offloaded module; compare it with golden and with float32, and return the device's trace."""
    verifier = Verifier()
    x = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    with open_device(target) as device, torch.inference_mode():
        result = offload(module, device=device, verifier=verifier)(x)
        wanted = module(x)
        assert verifier.bit_exact and verifier.macs == device.trace.macs > 0
        assert torch.cosine_similarity(result.flatten(), wanted.flatten(), dim=0) > 0.995
        return device.trace


def test_projection(board, layer):
    """On a board with 64 KiB, whose weight has 144: copied in parts."""
    trace = run(board.target, layer.attention.self.query, (1, TOKENS, 384))
    assert len(trace) > 1
    assert trace.macs == TOKENS * 384 * 384


@pytest.mark.slow
def test_layer(start_board, layer):
    """A whole layer, its first weights resident."""
    board = start_board("--array", "4x4", "--memory", "1024")
    trace = run(board.target, layer, (1, TOKENS, 384))
    labels = {record.label.rpartition("encoder.layer.0.")[2] for record in trace}
    assert len(labels) == 8, labels
    assert board.end() == 0
