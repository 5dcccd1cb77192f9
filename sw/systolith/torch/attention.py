"""Scaled dot product attention whose two products run on the device."""

import torch
from torch.nn import functional

from .quantize import quantize
from .site import inference_only, opaque

__all__ = ["additive_mask", "attention"]


def additive_mask(mask, dtype=torch.float32):
    """A mask to be added to the scores: from booleans (True: attend) 0 and the least finite number.

    Parameters
    ----------
    mask : Tensor or None
        bool, or floating point, which is returned as it is.
    """
    if mask is None or mask.dtype is not torch.bool:
        return mask
    return torch.zeros(mask.shape, dtype=dtype).masked_fill_(~mask, torch.finfo(dtype).min)


@opaque
def attention(site, query, key, value, *, scaling, masks=(), softcap=None, sinks=None, dropout=0.0):
    """``softmax(query · keyᵀ · scaling + masks) · value`` with int8 operands in both products.

    Query and key are quantized per token, the softmax's rows per row, value per channel; the softmax runs
    on the host in float32. All heads of the whole batch are one descriptor per product; query heads that
    share a key head are stacked along M, so nothing is repeated.

    Parameters
    ----------
    site : Site
    query : Tensor
        (B, H, Lq, D) float32.
    key : Tensor
        (B, Hkv, Lk, D) float32; H is a multiple of Hkv.
    value : Tensor
        (B, Hkv, Lk, Dv) float32.
    scaling : float
    masks : iterable of Tensor or None
        Added to the scores; each broadcasts to (B, H, Lq, Lk), float32. A query whose scores all become
        −∞ attends to every key alike.
    softcap : float or None
        Scores become ``softcap · tanh(scores / softcap)`` before the masks.
    sinks : Tensor or None
        (H,) float32: a score per head that takes part in the softmax and attends to nothing.
    dropout : float
        Probability with which softmax elements are dropped.

    Returns
    -------
    output : Tensor
        (B, H, Lq, Dv) float32.
    weights : Tensor
        (B, H, Lq, Lk) float32, the softmax after dropout.

    Where a size is zero there is nothing to compute, and ``output`` is zeros as in torch.

    Raises
    ------
    TypeError, ValueError
        If an operand has another dtype or unsuitable sizes, or holds NaN or infinity.
    """
    if query.shape[1] % key.shape[1] or key.shape[:3] != value.shape[:3] or query.shape[3] != key.shape[3]:
        raise ValueError(
            f"the attention of {site.label} cannot combine query {tuple(query.shape)}, "
            f"key {tuple(key.shape)} and value {tuple(value.shape)}"
        )
    return inference_only(
        lambda: _attention(site, query, key, value, scaling, masks, softcap, sinks, dropout),
        query,
        key,
        value,
        *masks,
        sinks,
    )


def _attention(site, query, key, value, scaling, masks, softcap, sinks, dropout):
    batch, heads, q_length, _ = query.shape
    key_heads, k_length = key.shape[1:3]
    shape = (batch, heads, q_length, k_length)
    if 0 in shape:
        return query.new_zeros(batch, heads, q_length, value.shape[-1]), query.new_zeros(shape)
    # (B, Hkv, H / Hkv, L, D), where all of the third dimension meets one key head
    query = query.unflatten(1, (key_heads, heads // key_heads))

    scores = site.engine.product(
        quantize(query * scaling, dim=-1, what=f"the query of {site.label}"),
        quantize(key.unsqueeze(2), dim=-1, what=f"the key of {site.label}"),
        b_layout="nk",
        label=f"{site.label}.qk",
    ).view(shape)
    if softcap is not None:
        scores = scores.div_(softcap).tanh_().mul_(softcap)
    for mask in masks:
        if mask is not None:
            scores = scores + mask
    # a query that may attend to nothing attends to everything, where −∞ alone would make it NaN
    scores.clamp_min_(torch.finfo(scores.dtype).min)
    if sinks is not None:
        sinks = sinks.view(1, heads, 1, 1).expand(batch, heads, q_length, 1)
        scores = torch.cat([scores, sinks], dim=-1)
    weights = torch.softmax(scores, dim=-1)[..., :k_length]
    if dropout:
        weights = functional.dropout(weights, dropout)

    output = site.engine.product(
        quantize(
            weights.unflatten(1, (key_heads, heads // key_heads)),
            dim=-1,
            what=f"the attention weights of {site.label}",
        ),
        quantize(value.unsqueeze(2), dim=-2, what=f"the value of {site.label}"),
        b_layout="kn",
        label=f"{site.label}.pv",
    )
    return output.view(batch, heads, q_length, -1), weights
