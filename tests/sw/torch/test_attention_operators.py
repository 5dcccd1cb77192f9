"""Attention in a compiled graph: shapes, masks, and multi-head attention with its projections."""

import pytest
import torch
from sw.torch.compiled import check, run
from sw.torch.conftest import cosine
from systolith.torch.weights import ResidentWeight
from torch import nn
from torch.nn import functional

pytestmark = pytest.mark.usefixtures("fresh_dynamo")


def attention_inputs(*leading, q_length=5, k_length=7, size=16, heads=None):
    shape = (*leading, q_length, size)
    k_shape = (*leading[:-1], heads or leading[-1], k_length, size) if leading else (k_length, size)
    return torch.randn(shape), torch.randn(k_shape), torch.randn(k_shape)


ATTENTION = {
    "plain": ({}, (2, 4)),
    "no heads": ({}, ()),
    "three dimensions": ({}, (4,)),
    "five dimensions": ({}, (2, 3, 4)),
    "causal": ({"is_causal": True}, (2, 4)),
    "scale": ({"scale": 0.7}, (2, 4)),
    "bool": ({"attn_mask": torch.arange(7) < torch.tensor([[5], [7]])[:, None, None]}, (2, 4)),
    "additive": ({"attn_mask": torch.linspace(-3, 3, 35).view(5, 7)}, (2, 4)),
    "a mask per head": ({"attn_mask": torch.linspace(-3, 3, 140).view(4, 5, 7)}, (2, 4)),
}


@pytest.mark.parametrize("name", ATTENTION)
def test_attention(golden, recorder, name):
    options, leading = ATTENTION[name]
    check(
        lambda q, k, v: functional.scaled_dot_product_attention(q, k, v, **options),
        *attention_inputs(*leading),
        device=golden,
        verifier=recorder,
    )
    recorder.check_with_oracle()
    assert len(recorder.products) == 2


def test_attention_grouped(golden):
    def attend(q, k, v):
        return functional.scaled_dot_product_attention(q, k, v, enable_gqa=True)

    check(attend, *attention_inputs(2, 4, heads=2), device=golden)


HEADS = {
    "one query head": ((1,), (3,), (3,)),
    "one key head": ((3,), (1,), (1,)),
    "key heads": ((3,), (1,), (3,)),
    "value heads": ((3,), (3,), (1,)),
    "no key heads": ((3,), (), ()),
    "no query heads": ((), (3,), (3,)),
    "batches": ((1, 3), (2, 1), (3,)),
}
"""Dimensions of query, key and value before the tokens."""


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("name", HEADS)
def test_attention_broadcasts(golden, recorder, name, masked):
    """Heads, too, as torch's operator does, not only batches."""
    leading = HEADS[name]
    q, k, v = (torch.randn(*sizes, length, 8) for sizes, length in zip(leading, (5, 7, 7), strict=True))
    mask = torch.linspace(-3, 3, 35).view(5, 7) if masked else None
    check(
        lambda q, k, v: functional.scaled_dot_product_attention(q, k, v, attn_mask=mask),
        q, k, v, device=golden, verifier=recorder,
    )  # fmt: skip
    recorder.check_with_oracle()


def test_attention_mask_has_no_gradient(golden):
    """Nor has what was computed with it."""
    mask = torch.zeros(5, 7, requires_grad=True)
    compiled = torch.compile(
        lambda q, k, v, mask: functional.scaled_dot_product_attention(q, k, v, attn_mask=mask),
        backend="systolith",
        options={"device": golden},
    )
    result = compiled(*attention_inputs(2, 4), mask)
    with pytest.raises(RuntimeError, match=r"has no gradient: offloaded models are for inference$"):
        result.sum().backward()


@pytest.mark.parametrize("kind", ["bool", "additive"])
def test_attention_to_nothing(golden, kind):
    """Queries that may attend to no key give zeros, as in torch."""
    mask = torch.ones(5, 7, dtype=torch.bool)
    mask[2] = False
    if kind == "additive":
        mask = torch.zeros(5, 7).masked_fill_(~mask, -torch.inf)
    inputs = attention_inputs(2, 4)
    ours, wanted = run(
        lambda q, k, v: functional.scaled_dot_product_attention(q, k, v, attn_mask=mask),
        *inputs,
        device=golden,
    )
    assert torch.equal(wanted[:, :, 2], torch.zeros(2, 4, 16))
    assert torch.equal(ours[:, :, 2], wanted[:, :, 2])
    assert cosine(ours, wanted) > 0.99


@pytest.mark.parametrize(
    ("same", "sizes"),
    [("all", {}), ("key and value", {}), ("none", {}), ("none", {"kdim": 12, "vdim": 20})],
    ids=["all", "key and value", "none", "separate"],
)
@pytest.mark.parametrize("need_weights", [False, True])
def test_multihead(golden, recorder, monkeypatch, same, sizes, need_weights):
    """Weights are packed before anything runs, whichever parts of them are used together."""
    packed = []

    def pack(*args, **options):
        packed.append(len(recorder.products))
        return ResidentWeight(*args, **options)

    monkeypatch.setattr("systolith.torch.engine.ResidentWeight", pack)
    model = nn.MultiheadAttention(32, 4, **sizes).eval()
    query = torch.randn(5, 2, 32)
    key = query if same == "all" else torch.randn(7, 2, sizes.get("kdim", 32))
    value = torch.randn(7, 2, sizes.get("vdim", 32)) if same == "none" else key
    compiled = torch.compile(
        model, backend="systolith", options={"device": golden, "verifier": recorder}, fullgraph=True
    )
    with torch.inference_mode():
        ours = compiled(query, key, value, need_weights=need_weights)
        wanted = model(query, key, value, need_weights=need_weights)
    assert cosine(ours[0], wanted[0]) > 0.99
    assert (ours[1] is None) == (wanted[1] is None)
    assert ours[1] is None or cosine(ours[1], wanted[1]) > 0.99
    recorder.check_with_oracle()
    parts = {"all": 1, "key and value": 2, "none": 3}[same]
    assert packed == [0] * (1 + parts)


@pytest.mark.parametrize(("norm_first", "activation"), [(False, "relu"), (True, "gelu")])
@pytest.mark.parametrize("mask", ["none", "padding", "causal", "both"])
@pytest.mark.parametrize("grad", [False, True])
def test_encoder_layer(golden, recorder, norm_first, activation, mask, grad):
    """Through the fast path, which is a single operator, and without it."""
    layer = nn.TransformerEncoderLayer(
        32, 4, 48, batch_first=True, norm_first=norm_first, activation=activation
    )
    model = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False).eval()
    x = torch.randn(2, 6, 32)
    masks, kept = {}, torch.ones(2, 6, dtype=torch.bool)
    if mask in ("padding", "both"):
        kept[1, 4:] = False
        masks["src_key_padding_mask"] = ~kept
    if mask in ("causal", "both"):
        # told, since torch may not look for itself while it compiles
        masks |= {"mask": torch.ones(6, 6, dtype=torch.bool).triu(1), "is_causal": True}
    compiled = torch.compile(
        model, backend="systolith", options={"device": golden, "verifier": recorder}, fullgraph=True
    )
    with torch.set_grad_enabled(grad):
        ours, wanted = compiled(x, **masks), model(x, **masks)
    assert cosine(ours[kept], wanted[kept]) > 0.99
    recorder.check_with_oracle()
    assert len(recorder.products) == 6
