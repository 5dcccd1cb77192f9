"""torchao's ``quantize_`` as a front door, and weights that torchao has quantized before."""

import copy
import gc

import numpy as np
import pytest
import torch
from sw.torch.conftest import cosine
from sw.torch.zoo import bert, logits, padded
from systolith.torch import offload
from systolith.torch.linear import OffloadedLinear
from systolith.torch.torchao import SystolithConfig
from torch import nn
from torchao.quantization import (
    Int8DynamicActivationInt8WeightConfig,
    Int8WeightOnlyConfig,
    IntxWeightOnlyConfig,
    MappingType,
    PerAxis,
    PerGroup,
    quantize_,
)


def small_model():
    return nn.Sequential(nn.Linear(32, 48), nn.ReLU(), nn.Linear(48, 10, bias=False)).eval()


def whole(module, name):
    return not name


def test_quantize(device, recorder):
    """The same bits as an offloaded model."""
    model = small_model()
    offloaded = offload(model, device=device)
    quantize_(model, SystolithConfig(device=device, verifier=recorder))
    assert type(model[0]) is OffloadedLinear
    x = torch.randn(5, 32)
    with torch.inference_mode():
        assert torch.equal(model(x), offloaded(x))
    recorder.check_with_oracle()
    assert list(recorder.products) == ["Linear.0", "Linear.1"]


def test_quantize_whole_model(golden, recorder):
    """Attention, too, where the filter hands over the model."""
    model, given = bert(), padded()
    linears = copy.deepcopy(model)
    quantize_(linears, SystolithConfig(device=golden))
    with torch.inference_mode():
        wanted = logits(model(**given))
        assert cosine(logits(linears(**given)), wanted) > 0.99
        assert len(golden.trace) == 2 * 6
        quantize_(model, SystolithConfig(device=golden, verifier=recorder), filter_fn=whole)
        assert cosine(logits(model(**given)), wanted) > 0.99
    assert len(recorder.products) == 2 * 8
    recorder.check_with_oracle()


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors:UserWarning")
@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_quantize_encoder(golden, recorder, nested, masked):
    """No fused kernel reads the weights past their layers, of which torchao leaves out that of attention."""
    layer = nn.TransformerEncoderLayer(32, 4, 48, batch_first=True)
    model = nn.TransformerEncoder(layer, 2, enable_nested_tensor=nested).eval()
    converted = copy.deepcopy(model)
    quantize_(converted, SystolithConfig(device=golden, verifier=recorder))
    x, padding = torch.randn(2, 6, 32), torch.zeros(2, 6, dtype=torch.bool)
    if masked:
        padding[1, 4:] = True
    masks = {"src_key_padding_mask": padding} if masked else {}
    with torch.inference_mode():
        assert cosine(converted(x, **masks)[~padding], model(x, **masks)[~padding]) > 0.99
    assert len(recorder.products) == 2 * 2
    rows = 10 if nested and masked else 12
    assert {a.size // a.shape[-1] for a, *_ in recorder.products.values()} == {rows}
    recorder.check_with_oracle()


def test_quantize_shared(golden):
    """A layer used twice, and a weight used by two."""
    layer, other = nn.Linear(64, 64), nn.Linear(64, 64)
    other.weight = layer.weight
    free = golden.free_bytes
    quantize_(nn.Sequential(layer, nn.Sequential(layer), other), SystolithConfig(device=golden))
    assert free - golden.free_bytes == 64 * 64


def test_quantize_gives_memory_back(golden):
    free = golden.free_bytes
    config = SystolithConfig(device=golden)
    model = small_model()
    quantize_(model, config)
    del model
    gc.collect()
    assert golden.free_bytes == free


INT8 = {
    "weight only": Int8WeightOnlyConfig(),
    "dynamic": Int8DynamicActivationInt8WeightConfig(),
    "intx": IntxWeightOnlyConfig(torch.int8, PerAxis(0)),
}


@pytest.mark.parametrize("door", ["offload", "quantize_", "compile"])
@pytest.mark.parametrize("kind", INT8)
def test_int8_weights(device, recorder, kind, door):
    """The integers of the checkpoint reach the device, −128 among them."""
    model = small_model()
    quantize_(model, INT8[kind])
    given = model[0].weight.qdata.numpy().copy()
    assert given.min() == -128
    x = torch.randn(7, 32)
    with torch.inference_mode():
        wanted = model(x)
        if door == "offload":
            ours = offload(model, device=device, verifier=recorder)(x)
        elif door == "compile":
            torch._dynamo.reset()
            options = {"device": device, "verifier": recorder}
            ours = torch.compile(model, backend="systolith", options=options)(x)
        else:
            quantize_(model, SystolithConfig(device=device, verifier=recorder))
            ours = model(x)
    assert cosine(ours, wanted) > 0.999
    recorder.check_with_oracle()
    _, weight, b_layout, _ = next(iter(recorder.products.values()))
    assert b_layout == "nk"
    np.testing.assert_array_equal(weight, given)


def test_int8_weights_copied(golden):
    """``offload`` leaves a quantized model as it was; its copy is of the same integers."""
    model = small_model()
    quantize_(model, Int8WeightOnlyConfig())
    kind = type(model[0].weight)
    converted = offload(model, device=golden)
    assert type(model[0]) is nn.Linear
    assert type(model[0].weight) is kind is type(converted[0].weight)


def test_smoothed_weights(golden):
    """What torchao multiplies activations with before the product."""
    model = nn.Linear(32, 8, bias=False)
    quantize_(model, Int8WeightOnlyConfig(), filter_fn=whole)
    model.weight.act_pre_scale = torch.linspace(0.5, 4, 32)
    x = torch.randn(4, 32)
    with torch.inference_mode():
        assert cosine(offload(model, device=golden)(x), model(x)) > 0.999


def asymmetric(model):
    quantize_(model, IntxWeightOnlyConfig(torch.int8, PerAxis(0), mapping_type=MappingType.ASYMMETRIC))


WRONG = {
    "groups": (
        lambda model: quantize_(model, IntxWeightOnlyConfig(torch.int8, PerGroup(8))),
        r"0\.weight is quantized in blocks of \(1, 8\), not by output channel: quantize with Int8Weight",
    ),
    "asymmetric": (asymmetric, r"0\.weight is quantized asymmetrically, with a zero point: quantize with"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_other_weights(golden, kind):
    quantize, message = WRONG[kind]
    model = small_model()
    quantize(model)
    with pytest.raises(ValueError, match="^" + message):
        offload(model, device=golden, inplace=True)
    with pytest.raises(ValueError, match="^Linear." + message):
        quantize_(model, SystolithConfig(device=golden))
    assert type(model[0]) is nn.Linear
    torch._dynamo.reset()
    compiled = torch.compile(model, backend="systolith", options={"device": golden})
    x = torch.randn(2, 32)
    why = r"its weight is quantized"
    with torch.inference_mode(), pytest.warns(UserWarning, match=r"nothing to run on the device: .*" + why):
        assert torch.equal(compiled(x), model(x))


def test_failure_restores(golden):
    """The layers before the one that cannot be converted are as they were."""
    model = small_model()
    with torch.no_grad():
        model[2].weight[1, 1] = torch.nan
    free = golden.free_bytes
    with pytest.raises(ValueError, match=r"^Linear\.1\.weight holds NaN or infinity$"):
        quantize_(model, SystolithConfig(device=golden))
    assert [type(module) for module in model] == [nn.Linear, nn.ReLU, nn.Linear]
    assert not any("_systolith" in module.__dict__ for module in model)
    assert not any(module._forward_pre_hooks for module in model)
    assert golden.free_bytes == free


def encoder_layers(module, name):
    return isinstance(module, nn.TransformerEncoderLayer)


def test_failure_restores_whole_modules(golden):
    """Those that were handed over as a whole, too."""
    model = nn.ModuleList(nn.TransformerEncoderLayer(16, 2, 24) for _ in range(3)).eval()
    with torch.no_grad():
        model[2].linear1.weight[1, 1] = torch.nan
    before = [(name, type(module), set(module.__dict__)) for name, module in model.named_modules()]
    free = golden.free_bytes
    with pytest.raises(ValueError, match=r"^linear1\.weight holds NaN or infinity$"):
        quantize_(model, SystolithConfig(device=golden), filter_fn=encoder_layers)
    assert [(name, type(module), set(module.__dict__)) for name, module in model.named_modules()] == before
    assert all(layer.activation_relu_or_gelu for layer in model)
    assert golden.free_bytes == free


def test_whole_modules_share(golden):
    """A weight that several of them use is packed once, and a module that comes twice is converted once."""
    first, second = (nn.TransformerEncoderLayer(32, 2, 48) for _ in range(2))
    second.linear1 = first.linear1
    second.linear2.weight = first.linear2.weight
    free = golden.free_bytes
    model = nn.ModuleList([first, nn.Sequential(first), second])
    quantize_(model, SystolithConfig(device=golden), filter_fn=encoder_layers)
    assert free - golden.free_bytes == 2 * (3 + 1) * 32 * 32 + 48 * 32 + 32 * 48


def test_quantize_gives_memory_of_whole_modules_back(golden):
    free = golden.free_bytes
    config = SystolithConfig(device=golden)
    model = nn.TransformerEncoderLayer(32, 2, 48)
    quantize_(model, config, filter_fn=whole)
    assert golden.free_bytes < free
    del model
    gc.collect()
    assert golden.free_bytes == free


def test_config_wrong():
    with pytest.raises(TypeError, match=r"^device must be a Device, not 'rtl'"):
        SystolithConfig(device="rtl")


def test_quantize_twice(golden):
    model = small_model()
    quantize_(model, SystolithConfig(device=golden))
    with pytest.raises(ValueError, match=r"is offloaded already$"):
        quantize_(model, SystolithConfig(device=golden))
