"""nn.MultiheadAttention and what is built on it, fast paths included."""

import itertools

import pytest
import torch
from sw.torch.conftest import cosine
from systolith.torch import offload
from torch import nn


def convert(model, device, recorder=None):
    return offload(model.eval(), device=device, verifier=recorder)


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("batched", [True, False])
@pytest.mark.parametrize("same", ["query=key=value", "key=value", "all different"])
def test_multihead(device, recorder, batch_first, batched, same):
    model = nn.MultiheadAttention(16, 4, batch_first=batch_first)
    nn.init.normal_(model.in_proj_bias)
    converted = convert(model, device, recorder)
    query = torch.randn(3, 5, 16) if batched else torch.randn(5, 16)
    key = query if same == "query=key=value" else torch.randn(query.shape)
    value = key if same != "all different" else torch.randn(query.shape)
    with torch.inference_mode():
        output, weights = converted(query, key, value)
        wanted, wanted_weights = model(query, key, value)
        assert converted(query, key, value, need_weights=False)[1] is None
    assert output.shape == wanted.shape
    assert weights.shape == wanted_weights.shape
    assert cosine(output, wanted) > 0.99
    assert cosine(weights, wanted_weights) > 0.99
    recorder.check_with_oracle()
    projections = {"query=key=value": ["qkv"], "key=value": ["q", "kv"], "all different": ["q", "k", "v"]}
    labels = [f"MultiheadAttention.{part}" for part in [*projections[same], "qk", "pv"]]
    assert [record.label for record in device.trace] == 2 * [*labels, "out_proj"]


@pytest.mark.parametrize(
    "options",
    [
        {"bias": False},
        {"kdim": 6, "vdim": 9},
        {"kdim": 6, "vdim": 9, "bias": False},
        {"add_bias_kv": True},
        {"add_zero_attn": True},
        {"add_bias_kv": True, "add_zero_attn": True},
    ],
    ids=str,
)
@pytest.mark.parametrize("masked", [False, True])
def test_multihead_options(golden, recorder, options, masked):
    model = nn.MultiheadAttention(16, 2, batch_first=True, **options)
    converted = convert(model, golden, recorder)
    query = torch.randn(2, 5, 16)
    key, value = torch.randn(2, 7, model.kdim), torch.randn(2, 7, model.vdim)
    masks = {}
    if masked:
        masks = {
            "attn_mask": torch.ones(5, 7, dtype=torch.bool).triu(3),
            "key_padding_mask": torch.arange(7).expand(2, 7) >= torch.tensor([[7], [4]]),
        }
    with torch.inference_mode():
        output, weights = converted(query, key, value, **masks, average_attn_weights=False)
        wanted, wanted_weights = model(query, key, value, **masks, average_attn_weights=False)
    assert weights.shape == wanted_weights.shape
    assert cosine(output, wanted) > 0.99
    assert torch.equal(weights == 0, wanted_weights == 0)
    recorder.check_with_oracle()


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("kind", ["bool", "float"])
def test_multihead_masks(golden, dims, kind):
    model = nn.MultiheadAttention(16, 2)
    converted = convert(model, golden)
    x = torch.randn(6, 3, 16)
    mask = torch.rand((6, 6) if dims == 2 else (6, 6, 6)) < 0.4
    mask[..., 0] = False
    if kind == "float":
        mask = torch.randn(mask.shape).masked_fill(mask, -torch.inf)
    with torch.inference_mode():
        output, weights = converted(x, x, x, attn_mask=mask)
        wanted, wanted_weights = model(x, x, x, attn_mask=mask)
    assert cosine(output, wanted) > 0.99
    assert cosine(weights, wanted_weights) > 0.99


def test_multihead_state_dict(golden):
    model, other = nn.MultiheadAttention(16, 2), nn.MultiheadAttention(16, 2)
    converted = convert(model, golden)
    assert list(converted.state_dict()) == list(model.state_dict())
    x = torch.randn(4, 2, 16)
    with torch.inference_mode():
        converted.load_state_dict(other.state_dict())
        assert torch.equal(converted(x, x, x)[0], convert(other, golden)(x, x, x)[0])


def test_multihead_wrong(golden):
    converted = convert(nn.MultiheadAttention(16, 2, batch_first=True), golden)
    x = torch.randn(2, 5, 16)
    with pytest.raises(ValueError, match=r"^attn_mask must be \(5, 5\) or \(4, 5, 5\), not \(5, 4\)$"):
        converted(x, x, x, attn_mask=torch.zeros(5, 4))
    with pytest.raises(ValueError, match=r"^key_padding_mask must be \(2, 5\), not \(5, 2\)$"):
        converted(x, x, x, key_padding_mask=torch.zeros(5, 2, dtype=torch.bool))
    with pytest.raises(ValueError, match=r"^is_causal needs attn_mask"):
        converted(x, x, x, is_causal=True)
    nested = torch.nested.nested_tensor([x[0], x[1, :3]], layout=torch.jagged)
    with pytest.raises(TypeError, match=r"^offloaded attention takes padded tensors, not nested ones$"):
        converted(nested, nested, nested)


@pytest.mark.parametrize("norm_first", [False, True])
@pytest.mark.parametrize("activation", ["relu", "gelu"])
@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("mode", [torch.inference_mode, torch.no_grad])
def test_encoder_layer_does_not_bypass(golden, recorder, norm_first, activation, padded, mode):
    model = nn.TransformerEncoderLayer(
        16, 2, 32, batch_first=True, norm_first=norm_first, activation=activation
    )
    converted = convert(model, golden, recorder)
    x = torch.randn(2, 5, 16)
    padding = torch.arange(5).expand(2, 5) >= torch.tensor([[5], [3]]) if padded else None
    assert torch.backends.mha.get_fastpath_enabled()
    with mode():
        output = converted(x, src_key_padding_mask=padding)
        wanted = model(x, src_key_padding_mask=padding)
    kept = slice(None) if padding is None else ~padding
    assert cosine(output[kept], wanted[kept]) > 0.99
    assert list(recorder.products) == [
        *("self_attn.qkv", "self_attn.qk", "self_attn.pv", "self_attn.out_proj", "linear1", "linear2")
    ]
    recorder.check_with_oracle()


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors:UserWarning")
def test_encoder_does_not_bypass(device, recorder):
    layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
    model = nn.TransformerEncoder(layer, 2, enable_nested_tensor=True)
    converted = convert(model, device, recorder)
    x = torch.randn(2, 5, 16)
    padding = torch.arange(5).expand(2, 5) >= torch.tensor([[5], [3]])
    with torch.inference_mode():
        output = converted(x, src_key_padding_mask=padding)
        wanted = model(x, src_key_padding_mask=padding)
    assert cosine(output[~padding], wanted[~padding]) > 0.99
    assert len(recorder.products) == 2 * 6
    assert {record.label for record in device.trace} == set(recorder.products)
    recorder.check_with_oracle()
    assert model.use_nested_tensor


def test_transformer(golden, recorder):
    model = nn.Transformer(16, 2, 1, 1, 32, batch_first=True)
    converted = convert(model, golden, recorder)
    source, target = torch.randn(2, 5, 16), torch.randn(2, 4, 16)
    mask = nn.Transformer.generate_square_subsequent_mask(4)
    with torch.inference_mode():
        output = converted(source, target, tgt_mask=mask, tgt_is_causal=True)
        assert cosine(output, model(source, target, tgt_mask=mask, tgt_is_causal=True)) > 0.99
    recorder.check_with_oracle()
    cross = [label for label in recorder.products if "multihead_attn" in label]
    parts = ("q", "kv", "qk", "pv", "out_proj")
    assert cross == [f"decoder.layers.0.multihead_attn.{part}" for part in parts]


def test_every_weight_is_read_by_its_owner(golden):
    """nn.TransformerEncoderLayer reads the weights of its linear layers: they are the float parameters."""
    model = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
    converted = convert(model, golden)
    pairs = itertools.zip_longest(converted.named_parameters(), model.named_parameters())
    for (name, ours), (wanted_name, wanted) in pairs:
        assert name == wanted_name
        assert torch.equal(ours, wanted)
    assert isinstance(converted.linear1.weight, nn.Parameter)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(("batch", "q_length", "k_length"), [(0, 5, 7), (2, 0, 7)])
def test_multihead_empty(golden, batch, q_length, k_length, masked):
    """No sequences, or no queries: as torch."""
    model = nn.MultiheadAttention(16, 4, batch_first=True)
    converted = convert(model, golden)
    query, key = torch.randn(batch, q_length, 16), torch.randn(batch, k_length, 16)
    masks = {}
    if masked:
        masks = {
            "attn_mask": torch.zeros(q_length, k_length, dtype=torch.bool),
            "key_padding_mask": torch.zeros(batch, k_length, dtype=torch.bool),
        }
    with torch.inference_mode():
        for options in ({}, {"need_weights": False}, {"average_attn_weights": False}):
            results = converted(query, key, key, **options, **masks)
            # torch itself cannot combine both masks of no sequences; these hide nothing
            wanted = model(query, key, key, **options)
            for result, expected in zip(results, wanted, strict=True):
                assert (result is None) == (expected is None)
                assert result is None or torch.equal(result, expected)


@pytest.mark.parametrize("gradients", [False, True])
def test_encoder_empty_batch(golden, gradients):
    layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
    with torch.set_grad_enabled(gradients):
        result = convert(nn.TransformerEncoder(layer, 2, enable_nested_tensor=False), golden)(
            torch.randn(0, 5, 16)
        )
    assert result.shape == (0, 5, 16)
