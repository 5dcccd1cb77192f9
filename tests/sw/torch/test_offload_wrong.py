"""What is refused when a model is offloaded or run, with its message, and what a failure leaves behind."""

import pytest
import torch
from systolith import DeviceClosed, open_device
from systolith.torch import offload
from systolith.torch.linear import OffloadedLinear
from systolith.torch.weights import ResidentWeight
from torch import nn


def small_model():
    return nn.Sequential(nn.Linear(24, 40), nn.ReLU(), nn.Linear(40, 10, bias=False)).eval()


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
    device = open_device("golden", memory_bytes=1 << 20)
    model = offload(small_model(), device=device)
    device.close()
    with pytest.raises(DeviceClosed, match=r"^the golden device is closed$"):
        model(torch.randn(2, 24))
