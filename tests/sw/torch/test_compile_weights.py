"""``torch.compile(model, backend="systolith")``: when weights are packed, and their memory given back."""

import gc

import pytest
import torch
from sw.torch.compiled import compile_whole
from sw.torch.conftest import cosine
from sw.torch.zoo import bert, ids, llama, logits, padded
from systolith.torch import offload
from systolith.torch.backend import systolith
from torch import nn

pytestmark = pytest.mark.usefixtures("fresh_dynamo")


def test_weights_are_packed_when_compiled(golden):
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64))
    free = [golden.free_bytes]

    def backend(graph_module, example_inputs):
        function = systolith(graph_module, example_inputs, options={"device": golden})
        free.append(golden.free_bytes)
        return function

    compiled = torch.compile(model, backend=backend)
    with torch.inference_mode():
        compiled(torch.randn(3, 64))
        workspaces = sum(1 for _ in golden.idle_workspaces) << 16
        assert free[0] - free[1] == 2 * 64 * 64
        assert free[1] - golden.free_bytes <= workspaces
        assert len(free) == 2


def test_sequence_lengths(golden, monkeypatch):
    """A second graph at most, for any length, and no weight packed again."""
    packed = []
    original = type(golden).allocate

    def allocate(self, nbytes, **options):
        packed.append(nbytes)
        return original(self, nbytes, **options)

    graphs = []

    def backend(graph_module, example_inputs):
        graphs.append(graph_module)
        return systolith(graph_module, example_inputs, options=options)

    options = {"device": golden}
    model = bert()
    compiled = torch.compile(model, backend=backend, fullgraph=True)
    with torch.inference_mode():
        compiled(**padded(length=9))
        monkeypatch.setattr(type(golden), "allocate", allocate)
        for length, batch in ((5, 2), (7, 2), (12, 2), (30, 2)):
            given = padded(batch, length)
            assert cosine(logits(compiled(**given)), logits(model(**given))) > 0.99
    assert len(graphs) == 2
    weight = 32 * 32
    assert weight not in packed


def test_changed_weights_are_packed_again(golden):
    model, other = nn.Linear(8, 8).eval(), nn.Linear(8, 8).eval()
    compiled = compile_whole(model, golden)
    x = torch.randn(2, 8)
    with torch.inference_mode():
        compiled(x)
        model.load_state_dict(other.state_dict())
        assert torch.equal(compiled(x), offload(other, device=golden)(x))


def test_tied_weights_are_packed_once(golden):
    model = llama(tie_word_embeddings=True)
    free = golden.free_bytes
    with torch.inference_mode():
        offloaded = offload(model, device=golden)
        once = free - golden.free_bytes
        del offloaded
        gc.collect()
        compile_whole(model, golden)(input_ids=ids())
    held = free - golden.free_bytes
    workspaces = sum(1 for _ in golden.idle_workspaces) << 16
    assert once <= held <= once + workspaces


def test_memory_is_given_back(golden):
    free = golden.free_bytes
    compiled = compile_whole(nn.Linear(256, 256), golden)
    compiled(torch.randn(2, 256))
    assert free - golden.free_bytes >= 256 * 256
    del compiled
    torch._dynamo.reset()
    gc.collect()
    workspaces = sum(1 for _ in golden.idle_workspaces) << 16
    assert free - golden.free_bytes <= workspaces
