"""Offloaded linear layers: bits, records, parameters, and everything that is refused."""

import copy
import pickle

import numpy as np
import pytest
import torch
from sw.torch.conftest import cosine
from systolith import open_device
from systolith.quantize import quantize
from systolith.torch import Scheme, offload
from systolith.torch.linear import OffloadedLinear
from systolith.torch.rotation import _hadamard, rotate_activations, rotate_weight
from torch import nn


def small_model():
    return nn.Sequential(nn.Linear(24, 40), nn.ReLU(), nn.Linear(40, 10, bias=False)).eval()


@pytest.mark.parametrize("shape", [(24,), (1, 24), (7, 24), (3, 5, 24), (2, 3, 4, 24)], ids=str)
def test_linear(device, recorder, shape):
    model = small_model()
    x = torch.randn(shape)
    with torch.inference_mode():
        result = offload(model, device=device, verifier=recorder)(x)
        wanted = model(x)
    recorder.check_with_oracle()
    assert result.shape == wanted.shape
    assert result.dtype == torch.float32
    assert cosine(result, wanted) > 0.995
    assert [record.label for record in device.trace] == ["0", "2"]
    assert device.trace[0].macs == x.numel() * 40

    # the operands are what NumPy makes of weight and activations, the result what float64 makes of the sums
    a, b, b_layout, sums = recorder.products["0"]
    elements, a_scale = quantize(rotate_activations(x.reshape(-1, 24)).numpy())
    weight, b_scale = quantize(rotate_weight(model[0].weight.detach()).numpy())
    assert b_layout == "nk"
    np.testing.assert_array_equal(a.reshape(-1, 24), elements)
    np.testing.assert_array_equal(b, weight)
    scaled = sums.reshape(-1, 40) * a_scale.astype(np.float64) * b_scale.astype(np.float64).T
    with torch.inference_mode():
        first = offload(model[:1], device=device)(x).reshape(-1, 40).numpy()
    np.testing.assert_allclose(first, scaled + model[0].bias.detach().numpy(), rtol=1e-5, atol=1e-6)


def test_all_zero_weight(golden):
    model = nn.Linear(8, 4)
    nn.init.zeros_(model.weight)
    converted = offload(model, device=golden)
    with torch.inference_mode():
        assert torch.equal(converted(torch.randn(3, 8)), model.bias.expand(3, 4))


def test_linear_strided_input(device, recorder):
    model = offload(nn.Linear(6, 5), device=device, verifier=recorder)
    x = torch.randn(6, 9).T
    with torch.inference_mode():
        assert torch.equal(model(x), model(x.contiguous()))
    recorder.check_with_oracle()


def test_linear_no_rows(golden):
    model = offload(nn.Linear(6, 5), device=golden)
    assert model(torch.empty(0, 6)).shape == (0, 5)
    assert model(torch.empty(2, 0, 6)).shape == (2, 0, 5)
    assert len(golden.trace) == 0


def test_copy_leaves_model(golden):
    model = small_model()
    classes = [type(module) for module in model.modules()]
    converted = offload(model, device=golden)
    assert [type(module) for module in model.modules()] == classes
    assert type(converted[0]) is OffloadedLinear
    with torch.no_grad():
        converted[0].weight.zero_()
    assert model[0].weight.abs().sum() > 0


def test_inplace(golden):
    model = small_model()
    weight = model[0].weight
    assert offload(model, device=golden, inplace=True) is model
    assert type(model[0]) is OffloadedLinear
    assert model[0].weight is weight
    assert isinstance(weight, nn.Parameter)


@pytest.mark.parametrize("value", [3.4e38, -3.4e38])
def test_linear_huge_input(golden, value):
    """Finite activations are taken, and the result is finite where it fits."""
    model = nn.Linear(2, 2)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[0.5, 0.001], [0.25, 0.0]]))
    x = torch.tensor([[value, 0.0]])
    with torch.inference_mode():
        result, wanted = offload(model, device=golden)(x), model(x)
    assert result.isfinite().all()
    torch.testing.assert_close(result, wanted, rtol=0.01, atol=0)


def test_shared_module(golden):
    layer = nn.Linear(8, 8)
    converted = offload(nn.Sequential(layer, nn.Tanh(), layer), device=golden)
    assert converted[0] is converted[2]
    with torch.inference_mode():
        converted(torch.randn(2, 8))
    assert [record.label for record in golden.trace] == ["0", "0"]


def test_hooks_and_repr_remain(golden):
    model = small_model()
    calls = []
    model[0].register_forward_hook(lambda module, inputs, output: calls.append(module))
    converted = offload(model, device=golden)
    with torch.inference_mode():
        converted(torch.randn(2, 24))
    assert calls == [converted[0]]
    assert repr(converted[0]) == "OffloadedLinear(in_features=24, out_features=40, bias=True)"


def test_deepcopy_of_offloaded(golden):
    model = offload(small_model(), device=golden)
    x = torch.randn(2, 24)
    duplicate = copy.deepcopy(model)
    with torch.inference_mode():
        assert torch.equal(duplicate(x), model(x))


class Autocast(nn.Module):
    """A product and a convolution on the host, between layers on the device."""

    def __init__(self):
        super().__init__()
        self.attention = nn.MultiheadAttention(16, 2, batch_first=True)
        self.conv = nn.Conv1d(16, 16, 1)
        self.head = nn.Linear(16, 8)

    def forward(self, x):
        x = self.attention(x, x, x, need_weights=False)[0]
        return self.head(self.conv(x.mT).mT)


def test_autocast(golden):
    """Products of the device are what they are without it, whatever the host computes in half precision."""
    model = Autocast().eval()
    x = torch.randn(2, 5, 16)
    seen = []
    with torch.inference_mode():
        with torch.autocast("cpu", dtype=torch.bfloat16):
            converted = offload(model, device=golden)
            converted.head.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
            attended = converted.attention(x, x, x)[0]
            result = converted(x)
        assert torch.equal(attended, converted.attention(x, x, x)[0])
        assert seen[0].dtype is torch.bfloat16
        assert torch.equal(result, converted.head(seen[0].float()))
        assert cosine(result, model(x)) > 0.99


def test_half_model_under_autocast(golden):
    converted = offload(nn.Linear(8, 8), device=golden).bfloat16()
    message = r"^the weight of Linear must be torch\.float32, not torch\.bfloat16: convert the model with"
    with torch.autocast("cpu", dtype=torch.bfloat16), pytest.raises(TypeError, match=message):
        converted(torch.randn(2, 8))


@pytest.mark.parametrize("size", [48, 64])
def test_default_dtype(golden, size):
    """Another default dtype changes nothing, then or afterwards."""
    model = nn.Sequential(nn.Linear(size, 8), nn.MultiheadAttention(8, 2)).eval()
    x, mask = torch.randn(5, size), torch.ones(5, 5, dtype=torch.bool).triu(1)

    def run(converted):
        hidden = converted[0](x)
        return converted[1](hidden, hidden, hidden, attn_mask=mask)[0]

    _hadamard.cache_clear()
    scheme = Scheme(limits={"0": 1.0})
    with torch.inference_mode():
        torch.set_default_dtype(torch.float64)
        try:
            result = run(offload(model, device=golden, scheme=scheme))
        finally:
            torch.set_default_dtype(torch.float32)
        assert torch.equal(result, run(offload(model, device=golden, scheme=scheme)))


def test_pickle_of_offloaded(golden):
    model = offload(small_model(), device=golden)
    with pytest.raises(TypeError) as error:
        pickle.dumps(model)
    assert str(error.value) == (
        "an offloaded model holds an open device and cannot be pickled: save its state_dict()"
    )


def test_backward_is_refused(golden):
    model = offload(nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4)), device=golden)
    result = model(torch.randn(2, 4)).sum()
    assert result.requires_grad
    with pytest.raises(RuntimeError, match=r"has no gradient: offloaded models are for inference$"):
        result.backward()


def test_subclass_with_a_forward_of_its_own_stays(golden):
    class Scaled(nn.Linear):
        def forward(self, x):
            return 2 * super().forward(x)

    converted = offload(nn.Sequential(Scaled(4, 4), nn.Linear(4, 4)), device=golden)
    assert type(converted[0]) is Scaled


@pytest.mark.parametrize("memory_bytes", [1 << 13, 1 << 16, 1 << 19])
def test_larger_than_device_memory(recorder, memory_bytes):
    """Weights that fit are resident, others are copied with each product; activations may be larger too."""
    model = nn.Sequential(nn.Linear(8, 100), nn.Linear(100, 1000), nn.Linear(1000, 40)).eval()
    with open_device("golden", memory_bytes=memory_bytes) as device, torch.inference_mode():
        offloaded = offload(model, device=device, verifier=recorder)
        assert device.free_bytes >= memory_bytes // 4
        assert device.free_bytes < memory_bytes
        x = torch.randn(30, 8)
        assert cosine(offloaded(x), model(x)) > 0.99
        recorder.check_with_oracle()
        assert device.trace.macs == 30 * (8 * 100 + 100 * 1000 + 1000 * 40)
