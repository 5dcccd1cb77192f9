"""Offloaded models on a pool: the same bits as on one device."""

import pathlib

import pytest
import torch
from systolith import WorkerDied, open_device, open_pool
from systolith.torch import offload
from systolith.torch.verify import Verifier
from torch import nn


@pytest.fixture
def model():
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(32, 4, dim_feedforward=48, batch_first=True, dropout=0.0)
    return nn.Sequential(layer, nn.Linear(32, 7)).eval()


def test_offload(model):
    """Layers are cut along rows, attention along heads; a worker that is started again has the weights."""
    x = torch.randn(2, 40, 32)
    verifier = Verifier()
    with open_device("golden", memory_bytes=1 << 20) as device, torch.inference_mode():
        wanted = offload(model, device=device)(x)
    with open_pool("golden", workers=2, memory_bytes=1 << 20) as pool, torch.inference_mode():
        offloaded = offload(model, device=pool, verifier=verifier)
        assert torch.equal(offloaded(x), wanted)
        assert verifier.bit_exact
        assert [record.label for record in pool.trace] == [record.label for record in device.trace]
        labels = {record.label for record in pool.trace if len(record.shares) == 2}
        assert {"0.self_attn.qk", "0.self_attn.pv", "0.linear1"} <= labels
        for worker in pool.workers:
            # Workers start fast: they do not load what they do not need.
            assert "torch" not in pathlib.Path(f"/proc/{worker.pid}/maps").read_text()
        pool.workers[0]._process.kill()
        with pytest.raises(WorkerDied):
            offloaded(x)
        pool.restart(0)
        assert torch.equal(offloaded(x), wanted)
