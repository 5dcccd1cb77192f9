"""MiniLM's products over the link, bit for bit; weights and activations are larger than the device memory."""

import pytest
import torch
from systolith import open_device
from systolith.torch import Verifier, offload
from systolith.torch.models import load_minilm

TOKENS = 32

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def model():
    """Embeddings and the first layer."""
    encoder = load_minilm().encoder
    encoder.encoder.layer = encoder.encoder.layer[:1]
    encoder.pooler = None
    return encoder


def run(target, module, x):
    """Run an offloaded module; compare it with golden and with float32, and return the device's trace."""
    verifier = Verifier()
    with open_device(target) as device, torch.inference_mode():
        result = offload(module, device=device, verifier=verifier)(x)
        wanted = module(x)
        assert verifier.bit_exact and verifier.macs == device.trace.macs > 0
        if not torch.is_tensor(result):
            result, wanted = result.last_hidden_state, wanted.last_hidden_state
        assert torch.cosine_similarity(result.flatten(), wanted.flatten(), dim=0) > 0.995
        return device.trace


def test_projection(board, model):
    """On a board with 64 KiB, whose weight has 144: copied in parts."""
    query = model.encoder.layer[0].attention.self.query
    trace = run(
        board.target, query, torch.randn((1, TOKENS, 384), generator=torch.Generator().manual_seed(1))
    )
    assert len(trace) > 1
    assert trace.macs == TOKENS * 384 * 384


@pytest.mark.long
def test_layer(start_board, model):
    """A whole layer with its attention, its first weights resident."""
    board = start_board("--array", "4x4", "--memory", "1024")
    tokens = torch.randint(1000, 20_000, (1, TOKENS), generator=torch.Generator().manual_seed(2))
    trace = run(board.target, model, tokens)
    assert len({record.label for record in trace}) == 8
    assert board.end() == 0
