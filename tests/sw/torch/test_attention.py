"""Scaled dot product attention on the device against torch's own."""

import numpy as np
import pytest
import torch
from sw.torch.conftest import cosine
from systolith.quantize import quantize
from systolith.torch.attention import additive_mask, attention
from systolith.torch.engine import Engine
from systolith.torch.site import Site
from torch.nn import functional


def run(device, recorder, q, k, v, **options):
    options.setdefault("scaling", q.shape[-1] ** -0.5)
    with torch.inference_mode():
        return attention(Site(Engine(device, recorder), "attn"), q, k, v, **options)


def operands(batch=2, heads=3, key_heads=3, q_length=9, k_length=9, size=16, value_size=16):
    return (
        torch.randn(batch, heads, q_length, size),
        torch.randn(batch, key_heads, k_length, size),
        torch.randn(batch, key_heads, k_length, value_size),
    )


@pytest.mark.parametrize(
    "sizes",
    [
        {},
        {"batch": 1, "heads": 1, "key_heads": 1, "q_length": 1, "k_length": 1},
        {"q_length": 1, "k_length": 13},
        {"q_length": 5, "k_length": 2, "size": 7, "value_size": 11},
        {"heads": 6, "key_heads": 2},
        {"heads": 4, "key_heads": 1, "q_length": 1, "k_length": 17},
    ],
    ids=str,
)
def test_attention(device, recorder, sizes):
    q, k, v = operands(**sizes)
    output, weights = run(device, recorder, q, k, v)
    recorder.check_with_oracle()
    wanted = functional.scaled_dot_product_attention(q, k, v, enable_gqa=True)
    assert output.shape == wanted.shape
    assert weights.shape == (*q.shape[:3], k.shape[2])
    assert cosine(output, wanted) > 0.99
    torch.testing.assert_close(weights.sum(-1), torch.ones(q.shape[:3]))
    # all heads of the whole batch at once, and nothing repeated for grouped queries
    assert [record.label for record in device.trace] == ["attn.qk", "attn.pv"]
    assert [len(record.descriptors) for record in device.trace] == [1, 1]
    batch, key_heads, k_length = k.shape[:3]
    assert device.trace[0].batch * device.trace[0].n == batch * key_heads * k_length


def test_attention_operands(golden, recorder):
    q, k, v = operands(heads=4, key_heads=2)
    _, weights = run(golden, recorder, q, k, v)
    a, b, b_layout, _ = recorder.products["attn.qk"]
    np.testing.assert_array_equal(a.reshape(q.shape), quantize((q * 16**-0.5).numpy())[0])
    np.testing.assert_array_equal(b.reshape(k.shape), quantize(k.numpy())[0])
    assert b_layout == "nk"
    a, b, b_layout, _ = recorder.products["attn.pv"]
    np.testing.assert_array_equal(a.reshape(weights.shape), quantize(weights.numpy())[0])
    np.testing.assert_array_equal(b.reshape(v.shape), quantize(v.numpy(), axis=-2)[0])
    assert b_layout == "kn"


def test_attention_strided(golden, recorder):
    q, k, v = operands()
    strided = [x.transpose(1, 2).contiguous().transpose(1, 2) for x in (q, k, v)]
    assert torch.equal(run(golden, recorder, *strided)[0], run(golden, recorder, q, k, v)[0])


def test_attention_causal_mask(device, recorder):
    q, k, v = operands()
    mask = additive_mask(torch.ones(9, 9, dtype=torch.bool).tril())
    output, weights = run(device, recorder, q, k, v, masks=(mask,))
    assert cosine(output, functional.scaled_dot_product_attention(q, k, v, is_causal=True)) > 0.99
    assert not weights.triu(1).any()
    recorder.check_with_oracle()


def test_attention_masks_add_up(golden, recorder):
    q, k, v = operands()
    bias, mask = torch.randn(1, 3, 9, 9), torch.zeros(2, 1, 1, 9)
    mask[1, ..., 6:] = -torch.inf
    output, weights = run(golden, recorder, q, k, v, masks=(bias, None, mask))
    wanted = functional.scaled_dot_product_attention(q, k, v, attn_mask=bias + mask)
    assert cosine(output, wanted) > 0.99
    assert not weights[1, ..., 6:].any()


def test_attention_all_masked(golden, recorder):
    q, k, v = operands()
    mask = torch.zeros(2, 1, 9, 9)
    mask[0, :, 3] = -torch.inf
    output, weights = run(golden, recorder, q, k, v, masks=(mask,))
    assert output.isfinite().all()
    torch.testing.assert_close(weights[0, :, 3], torch.full((3, 9), 1 / 9))


def test_attention_scaling_softcap_sinks(golden, recorder):
    q, k, v = operands()
    sinks = torch.randn(3)
    output, weights = run(golden, recorder, q, k, v, scaling=0.5, softcap=2.0, sinks=sinks)
    scores = 2 * torch.tanh(q @ k.mT * 0.5 / 2)
    wanted = torch.cat([scores, sinks.view(1, 3, 1, 1).expand(2, 3, 9, 1)], -1).softmax(-1)[..., :-1]
    torch.testing.assert_close(weights, wanted, atol=0.02, rtol=0.1)
    assert cosine(output, wanted @ v) > 0.99


def test_attention_dropout(golden, recorder):
    q, k, v = operands()
    _, weights = run(golden, recorder, q, k, v, dropout=0.5)
    assert 0.3 < (weights == 0).float().mean() < 0.7


def test_attention_wrong(golden, recorder):
    q, k, v = operands()
    with pytest.raises(ValueError) as error:
        run(golden, recorder, q, k[:, :2], v[:, :2])
    assert str(error.value) == (
        "the attention of attn cannot combine query (2, 3, 9, 16), key (2, 2, 9, 16) and value (2, 2, 9, 16)"
    )
    v[0, 0, 0, 0] = torch.nan
    with pytest.raises(
        ValueError, match=r"^the value of attn holds NaN or infinity and cannot be quantized$"
    ):
        run(golden, recorder, q, k, v)


def test_attention_backward_is_refused(golden):
    q, k, v = (x.requires_grad_() for x in operands())
    output, _ = attention(Site(Engine(golden), "attn"), q, k, v, scaling=1.0)
    with pytest.raises(RuntimeError, match="has no gradient"):
        output.sum().backward()


@pytest.mark.parametrize("part", ["masks", "sinks"])
def test_attention_backward_to_masks_is_refused(golden, part):
    given = torch.zeros(3, requires_grad=True)
    options = {"masks": (None, given.view(3, 1, 1))} if part == "masks" else {"sinks": given}
    output, _ = attention(Site(Engine(golden), "attn"), *operands(), scaling=1.0, **options)
    with pytest.raises(RuntimeError, match="has no gradient"):
        output.sum().backward()


def test_additive_mask():
    assert additive_mask(None) is None
    mask = torch.tensor([0.0, -1.0])
    assert additive_mask(mask) is mask
    least = torch.finfo(torch.float32).min
    assert additive_mask(torch.tensor([True, False])).tolist() == [0.0, least]


@pytest.mark.parametrize("sizes", [(0, 3, 5), (2, 0, 5), (2, 3, 0)], ids=str)
def test_attention_empty(golden, sizes):
    """As torch: nothing to attend to gives zeros."""
    batch, q_length, k_length = sizes
    query, key = torch.randn(batch, 4, q_length, 8), torch.randn(batch, 2, k_length, 8)
    value = torch.randn(batch, 2, k_length, 6)
    site = Site(Engine(golden), "empty")
    output, weights = attention(site, query, key, value, scaling=0.5)
    repeated = (tensor.repeat_interleave(2, dim=1) for tensor in (key, value))
    wanted = torch.nn.functional.scaled_dot_product_attention(query, *repeated)
    assert torch.equal(output, wanted)
    assert weights.shape == (batch, 4, q_length, k_length)
