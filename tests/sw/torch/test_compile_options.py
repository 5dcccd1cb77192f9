"""``torch.compile(model, backend="systolith", options=…)``: what options say, and what is refused."""

import gc

import pytest
import torch
from sw.torch.compiled import compile_whole
from sw.torch.conftest import SMALL, cosine
from systolith import DeviceClosed, open_device
from torch import nn

pytestmark = pytest.mark.usefixtures("fresh_dynamo")


def test_target_by_name(monkeypatch):
    """A device that the backend opens is closed when the compiled model is forgotten."""
    opened = []

    def open_one(*args, **options):
        opened.append(open_device(*args, **options))
        return opened[-1]

    monkeypatch.setattr("systolith.torch.backend.open_device", open_one)
    model = nn.Linear(8, 4).eval()
    compiled = torch.compile(model, backend="systolith", options={"target": "golden", "array": "8x4"})
    x = torch.randn(2, 8)
    with torch.inference_mode():
        assert cosine(compiled(x), model(x)) > 0.99
        compiled(torch.randn(3, 8))
    (device,) = opened
    assert (device.config.rows, device.config.columns) == (8, 4)
    assert not device.closed
    del compiled
    torch._dynamo.reset()
    gc.collect()
    assert device.closed


@pytest.mark.parametrize("size", [8, 16], ids=["same graph", "other graph"])
def test_changed_options(golden, size):
    """Torch may take one model's graph for another that is compiled with the same dict."""
    options = {"device": golden}
    first = torch.compile(nn.Linear(8, 8), backend="systolith", options=options)
    x = torch.randn(2, 8)
    message = (
        r"options were changed after a model was compiled with them, .*: give torch\.compile another dict"
    )
    with torch.inference_mode(), open_device("golden", SMALL) as other:
        before = first(x)
        options["device"] = other
        second = torch.compile(nn.Linear(size, 8), backend="systolith", options=options)
        with pytest.raises((ValueError, torch._dynamo.exc.BackendCompilerFailed), match=message):
            second(torch.randn(2, size))
        options["device"] = golden
        assert torch.equal(first(x), before)
        assert len(other.trace) == 0


class Doubled(nn.Module):
    def forward(self, x):
        return 2 * x


@pytest.mark.parametrize(
    ("model", "x", "why"),
    [
        (Doubled(), torch.ones(2, 3), r"it multiplies no matrices$"),
        (nn.Conv1d(3, 3, 1), torch.ones(2, 3, 5), r"conv1d \(a convolution\)$"),
        (nn.Linear(4, 4).half(), torch.ones(2, 4).half(), r"linear \(its result is float16, not float32\)$"),
    ],
    ids=["none", "convolution", "half"],
)
def test_nothing_to_offload(golden, model, x, why):
    compiled = compile_whole(model, golden)
    with pytest.warns(UserWarning, match=r"^a compiled graph has nothing to run on the device: .*" + why):
        result = compiled(x)
    assert torch.equal(result, model(x))
    assert len(golden.trace) == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, r"say where the model runs: .*, not no options"),
        ({"array": "8x8"}, r"say where the model runs: .*, not 'array'"),
        ({"device": "rtl"}, r"device must be a Device, not 'rtl'"),
        ({"target": "board"}, r"target must be one of .*, not 'board'"),
        ({"target": "golden", "array": "8by8"}, r"8by8"),
        ({"target": "golden", "speed": 3}, r"speed"),
    ],
    ids=str,
)
def test_options_wrong(options, message):
    compiled = torch.compile(nn.Linear(4, 4), backend="systolith", options=options)
    with pytest.raises(torch._dynamo.exc.BackendCompilerFailed, match=message):
        compiled(torch.randn(2, 4))


def test_options_wrong_beside_device(golden):
    compiled = compile_whole(nn.Linear(4, 4), golden, array="8x8")
    message = r"a device that is open takes no options, but came with 'array'"
    with pytest.raises(torch._dynamo.exc.BackendCompilerFailed, match=message):
        compiled(torch.randn(2, 4))


def test_weight_wrong(golden):
    model = nn.Linear(4, 4)
    with torch.no_grad():
        model.weight[1, 1] = torch.nan
    with pytest.raises(torch._dynamo.exc.BackendCompilerFailed, match=r"weight .* holds NaN or infinity"):
        compile_whole(model, golden)(torch.randn(2, 4))


def test_closed_device():
    device = open_device("golden", memory_bytes=1 << 20)
    compiled = compile_whole(nn.Linear(4, 4), device)
    compiled(torch.randn(2, 4))
    device.close()
    with pytest.raises(DeviceClosed):
        compiled(torch.randn(2, 4))
