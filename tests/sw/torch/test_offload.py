"""Offloaded linear layers: bits, records, parameters, and everything that is refused."""

import copy
import pickle

import numpy as np
import pytest
import torch
from sw.torch.conftest import cosine
from systolith import open_device
from systolith.quantize import quantize
from systolith.torch import offload, repack
from systolith.torch.linear import OffloadedLinear
from systolith.torch.rotation import rotate_activations, rotate_weight
from systolith.torch.weights import ResidentWeight
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


def test_state_dict_both_ways(device):
    model, other = small_model(), small_model()
    converted = offload(model, device=device)
    state = converted.state_dict()
    assert list(state) == list(model.state_dict())
    assert all(torch.equal(state[name], value) for name, value in model.state_dict().items())
    small_model().load_state_dict(state)

    x = torch.randn(3, 24)
    with torch.inference_mode():
        before = converted(x)
        converted.load_state_dict(other.state_dict())
        after = converted(x)
        assert not torch.equal(after, before)
        assert torch.equal(after, offload(other, device=device)(x))
        converted.load_state_dict(model.state_dict(), assign=True)
        assert torch.equal(converted(x), before)


@pytest.mark.parametrize(
    "change",
    [
        lambda linear: linear.weight.mul_(-1),
        lambda linear: setattr(linear.weight, "data", -linear.weight.data),
        lambda linear: setattr(linear, "weight", nn.Parameter(-linear.weight)),
    ],
    ids=["in place", "data", "parameter"],
)
def test_changed_weight_is_packed_again(golden, change):
    model = offload(nn.Linear(8, 8, bias=False), device=golden)
    x = torch.randn(2, 8)
    with torch.no_grad():
        before = model(x)
        change(model)
        assert torch.equal(model(x), -before)


@pytest.mark.parametrize(
    "change",
    [
        lambda weight: weight.data.mul_(-1),
        lambda weight: weight.detach().mul_(-1),
        lambda weight: np.negative(weight.detach().numpy(), out=weight.detach().numpy()),
    ],
    ids=["data", "detached", "numpy"],
)
def test_repack(golden, change):
    """What torch does not tell of a weight, for whoever shares it."""
    model = offload(Tied(), device=golden)
    ids = torch.arange(3)
    with torch.no_grad():
        free = golden.free_bytes
        before = model(ids)
        change(model.head.weight)
        repack(model.head)
        after = model(ids)
        assert not torch.equal(after, before)
        reference = copy.deepcopy(model)
        assert torch.equal(after, reference(ids))
        del reference
        workspace = sum(1 for _ in golden.idle_workspaces) << 16
        assert golden.free_bytes >= free - workspace


def test_repack_all(golden):
    model = offload(small_model(), device=golden)
    x = torch.randn(2, 24)
    with torch.no_grad():
        model[0].weight.data.mul_(2)
        model[2].weight.data.mul_(-1)
        repack(model)
        assert torch.equal(model(x), copy.deepcopy(model)(x))


def test_repack_wrong():
    with pytest.raises(ValueError, match=r"^nothing in this Sequential is offloaded$"):
        repack(small_model())


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


def test_changed_bias(golden):
    model = offload(nn.Linear(8, 8), device=golden)
    x = torch.randn(2, 8)
    with torch.no_grad():
        before = model(x)
        model.bias += 1
        torch.testing.assert_close(model(x), before + 1)


def test_weight_memory_is_given_back(golden):
    free = golden.free_bytes
    model = offload(nn.Linear(256, 256), device=golden)
    packed = golden.free_bytes
    assert free - packed >= 256 * 256
    with torch.no_grad():
        model.weight += 1
        model(torch.randn(1, 256))
        workspace = sum(1 for _ in golden.idle_workspaces) << 16
        assert golden.free_bytes >= packed - workspace
    del model
    assert golden.free_bytes >= free - workspace


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(64, 16)
        self.body = nn.Linear(16, 16)
        self.head = nn.Linear(16, 64, bias=False)
        self.other_head = nn.Linear(16, 64)
        self.head.weight = self.embedding.weight
        self.other_head.weight = self.embedding.weight

    def forward(self, ids):
        x = self.body(self.embedding(ids))
        return self.head(x) + self.other_head(x)


def test_tied_weights_are_packed_once(golden):
    free = golden.free_bytes
    model = Tied().eval()
    converted = offload(model, device=golden)
    assert converted.head.weight is converted.embedding.weight
    row = max(16, golden.config.bus_bytes)
    assert free - golden.free_bytes == (64 + 16) * row
    ids = torch.arange(6)
    with torch.inference_mode():
        assert cosine(converted(ids), model(ids)) > 0.99
        converted.load_state_dict(Tied().state_dict())
        converted(ids)
    site, other = converted.head._systolith, converted.other_head._systolith
    assert site.hold(converted.head.weight) is other.hold(converted.head.weight)


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


# what is refused


def test_offload_wrong_model(golden):
    with pytest.raises(TypeError, match=r"^model must be a torch\.nn\.Module, not dict$"):
        offload({}, device=golden)


def test_offload_wrong_device():
    message = "device must be a Device, not 'rtl': pass what systolith.open_device('rtl') returns"
    with pytest.raises(TypeError) as error:
        offload(small_model(), device="rtl")
    assert str(error.value) == message


def test_offload_wrong_nothing(golden):
    with pytest.raises(
        ValueError, match=r"^Sequential has nothing to offload: no .*Linear, MultiheadAttention"
    ):
        offload(nn.Sequential(nn.ReLU(), nn.LayerNorm(4)), device=golden)


def test_offload_wrong_kinds(golden):
    """What multiplies matrices and stays on the host is told, with the reason."""

    class Scaled(nn.Linear):
        def forward(self, x):
            return 2 * super().forward(x)

    model = nn.Sequential(nn.Conv2d(1, 1, 3), Scaled(2, 2), nn.LSTM(2, 2))
    with pytest.raises(ValueError) as error:
        offload(model, device=golden)
    assert str(error.value).endswith(
        "; 0 is a convolution; 1 is a subclass with a forward of its own; 2 is a recurrence"
    )


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_offload_wrong_torch_quantized(golden):
    model = torch.ao.quantization.quantize_dynamic(small_model(), {nn.Linear})
    with pytest.raises(ValueError, match=r"; 0 is quantized by torch\.ao: convert the float model; 2 is"):
        offload(model, device=golden)


class InjectedError(Exception):
    pass


@pytest.mark.parametrize("inplace", [False, True])
@pytest.mark.parametrize("fail_at", range(5))
def test_failure_midway_restores(golden, monkeypatch, inplace, fail_at):
    """Whichever weight cannot be packed, the model is what it was, and so is the device."""
    model = nn.TransformerEncoder(nn.TransformerEncoderLayer(16, 2, 24), 1, enable_nested_tensor=False).eval()
    before = [(name, type(module), set(module.__dict__)) for name, module in model.named_modules()]
    switches = [module.activation_relu_or_gelu for module in model.layers]
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    free = golden.free_bytes
    packed = []

    def pack(*args, **options):
        packed.append(args)
        if len(packed) > fail_at:
            raise InjectedError
        return ResidentWeight(*args, **options)

    monkeypatch.setattr("systolith.torch.engine.ResidentWeight", pack)
    if fail_at < 4:
        with pytest.raises(InjectedError):
            offload(model, device=golden, inplace=inplace)
        packed.clear()
        assert golden.free_bytes == free
    else:
        converted = offload(model, device=golden, inplace=inplace)
        assert golden.free_bytes < free
        if inplace:
            assert type(converted.layers[0].linear1) is OffloadedLinear
            return
    assert [(name, type(module), set(module.__dict__)) for name, module in model.named_modules()] == before
    assert [module.activation_relu_or_gelu for module in model.layers] == switches
    assert all(torch.equal(tensor, state[name]) for name, tensor in model.state_dict().items())


def test_offload_wrong_twice(golden):
    model = offload(small_model(), device=golden)
    with pytest.raises(ValueError, match=r"^0 is offloaded already$"):
        offload(model, device=golden)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_offload_wrong_precision(golden, dtype):
    model = small_model()
    model[2].to(dtype)
    with pytest.raises(TypeError) as error:
        offload(model, device=golden, inplace=True)
    assert str(error.value) == (
        f"2.weight must be torch.float32, not {dtype}: convert the model with .float()"
    )
    assert type(model[0]) is nn.Linear
    assert len(golden.idle_workspaces) == 0


@pytest.mark.parametrize("name", ["weight", "bias"])
@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_offload_wrong_value(golden, name, value):
    model = small_model()
    with torch.no_grad():
        getattr(model[0], name).view(-1)[3] = value
    with pytest.raises(ValueError, match=rf"^0\.{name} holds NaN or infinity$"):
        offload(model, device=golden)


def test_offload_wrong_meta(golden):
    with pytest.raises(ValueError, match=r"^0\.weight must be on the CPU, not on meta: "):
        offload(small_model().to("meta"), device=golden)


def test_offload_wrong_inference_tensor(golden):
    with torch.inference_mode():
        model = small_model()
    with pytest.raises(ValueError) as error:
        offload(model, device=golden, inplace=True)
    assert str(error.value) == (
        "the weight of 0 was made under torch.inference_mode(), which hides its changes"
    )
    assert type(model[0]) is nn.Linear
    offload(model, device=golden)


def test_offload_under_inference_mode(golden):
    model = small_model()
    with torch.inference_mode():
        converted = offload(model, device=golden)
    assert not converted[0].weight.is_inference()


def test_offload_wrong_size(golden):
    with pytest.warns(UserWarning, match="zero-element"):
        model = nn.Linear(0, 3)
    with pytest.raises(ValueError, match=r"^Linear\.weight has no elements: its shape is \(3, 0\)$"):
        offload(model, device=golden)


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


def test_input_wrong(golden):
    model = offload(small_model(), device=golden)
    with pytest.raises(ValueError, match=r"^the input of 0 must have 24 features, not 23$"):
        model(torch.randn(2, 23))
    with pytest.raises(TypeError, match=r"^the input of 0 must be torch\.float32, not torch\.float16"):
        model(torch.randn(2, 24).half())
    x = torch.randn(2, 24)
    x[1, 3] = torch.nan
    with pytest.raises(ValueError, match=r"^the input of 0 holds NaN or infinity and cannot be quantized$"):
        model(x)
    with torch.inference_mode():
        assert model(torch.randn(2, 24)).isfinite().all()


def test_closed_device():
    from systolith import DeviceClosed

    device = open_device("golden", memory_bytes=1 << 20)
    model = offload(small_model(), device=device)
    device.close()
    with pytest.raises(DeviceClosed, match=r"^the golden device is closed$"):
        model(torch.randn(2, 24))
