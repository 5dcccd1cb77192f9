"""Torch's operators for attention, computed on the device: what a rewritten graph calls.

Each takes the :class:`~.site.Site` that it computes at, then the arguments of what it stands for.
"""

import torch
from torch.nn import functional

from .attention import additive_mask, attention
from .multihead import multihead_attention

__all__ = ["multi_head_attention_forward", "scaled_dot_product_attention", "transformer_encoder_layer"]


def scaled_dot_product_attention(
    site, query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False, scale=None, enable_gqa=False
):
    """``functional.scaled_dot_product_attention``; queries that may attend to nothing give zeros."""
    if 0 in (*query.shape, *key.shape, *value.shape):
        return functional.scaled_dot_product_attention(
            query, key, value, attn_mask, dropout_p, is_causal, scale=scale, enable_gqa=enable_gqa
        )
    leading = torch.broadcast_shapes(
        query.shape[:-3], key.shape[:-3], value.shape[:-3], () if attn_mask is None else attn_mask.shape[:-3]
    )
    heads, key_heads = query.shape[-3:-2], torch.broadcast_shapes(key.shape[-3:-2], value.shape[-3:-2])
    if not enable_gqa:
        heads = torch.broadcast_shapes(heads, key_heads)

    def batched(tensor, heads):
        """(B, H, L, D), where B are all dimensions before the heads."""
        sizes = *(heads or (1,)), *tensor.shape[-2:]
        return tensor.expand(*leading, *sizes).reshape(-1, *sizes)

    if is_causal:
        attn_mask = torch.ones(query.shape[-2], key.shape[-2], dtype=torch.bool).tril_()
    mask = None if attn_mask is None else batched(attn_mask, attn_mask.shape[-3:-2])
    result, _ = attention(
        site,
        batched(query, heads),
        batched(key, key_heads),
        batched(value, key_heads),
        scaling=query.shape[-1] ** -0.5 if scale is None else scale,
        masks=(additive_mask(mask),),
        dropout=dropout_p,
    )
    if mask is not None and not is_causal:
        hidden = ~mask if mask.dtype is torch.bool else mask == -torch.inf
        result = result.masked_fill(hidden.all(-1, keepdim=True), 0.0)
    return result.reshape(*leading, *heads, query.shape[-2], value.shape[-1])


def multi_head_attention_forward(
    site,
    query,
    key,
    value,
    embed_dim_to_check,  # noqa: ARG001 -- the size of in_proj_weight says it
    num_heads,
    in_proj_weight,
    in_proj_bias,
    bias_k,
    bias_v,
    add_zero_attn,
    dropout_p,
    out_proj_weight,
    out_proj_bias,
    training=True,
    key_padding_mask=None,
    need_weights=True,
    attn_mask=None,
    use_separate_proj_weight=False,
    q_proj_weight=None,
    k_proj_weight=None,
    v_proj_weight=None,
    average_attn_weights=True,
    is_causal=False,  # noqa: ARG001 -- attn_mask is that mask
):
    """``functional.multi_head_attention_forward``, but for static keys and values."""
    output, weights = multihead_attention(
        site,
        query,
        key,
        value,
        num_heads=num_heads,
        in_proj_weight=in_proj_weight,
        in_proj_bias=in_proj_bias,
        separate_weights=(q_proj_weight, k_proj_weight, v_proj_weight) if use_separate_proj_weight else None,
        out_proj=lambda x: site.linear(x, out_proj_weight, out_proj_bias, part="out_proj"),
        bias_k=bias_k,
        bias_v=bias_v,
        add_zero_attn=add_zero_attn,
        attn_mask=attn_mask,
        key_padding_mask=key_padding_mask,
        dropout=dropout_p if training else 0.0,
    )
    if not need_weights:
        return output, None
    return output, weights.mean(dim=-3) if average_attn_weights else weights


def transformer_encoder_layer(
    site,
    src,
    embed_dim,
    num_heads,
    qkv_weight,
    qkv_bias,
    proj_weight,
    proj_bias,
    use_gelu,
    norm_first,
    eps,
    norm_weight_1,
    norm_bias_1,
    norm_weight_2,
    norm_bias_2,
    ffn_weight_1,
    ffn_bias_1,
    ffn_weight_2,
    ffn_bias_2,
    mask=None,
    mask_type=None,
):
    """``torch._transformer_encoder_layer_fwd``: the fast path of ``nn.TransformerEncoderLayer``.

    ``mask_type`` is 0 for a mask (L, L), 1 for one (B, L) of padding and 2 for one (B, H, L, L).
    """
    heads = site.part("self_attn")

    def attend(x):
        merged = mask.flatten(0, 1) if mask_type == 2 else mask
        return multihead_attention(
            heads,
            x,
            x,
            x,
            num_heads=num_heads,
            in_proj_weight=qkv_weight,
            in_proj_bias=qkv_bias,
            separate_weights=None,
            out_proj=lambda y: heads.linear(y, proj_weight, proj_bias, part="out_proj"),
            attn_mask=None if mask_type == 1 else merged,
            key_padding_mask=merged if mask_type == 1 else None,
            batch_first=True,
        )[0]

    def feed_forward(x):
        hidden = site.linear(x, ffn_weight_1, ffn_bias_1, part="linear1")
        hidden = functional.gelu(hidden) if use_gelu else functional.relu(hidden)
        return site.linear(hidden, ffn_weight_2, ffn_bias_2, part="linear2")

    def norm_1(x):
        return functional.layer_norm(x, (embed_dim,), norm_weight_1, norm_bias_1, eps)

    def norm_2(x):
        return functional.layer_norm(x, (embed_dim,), norm_weight_2, norm_bias_2, eps)

    if norm_first:
        x = src + attend(norm_1(src))
        return x + feed_forward(norm_2(x))
    x = norm_1(src + attend(src))
    return norm_2(x + feed_forward(x))
