"""Torch's operators that multiply matrices, computed on the device: what a rewritten graph calls.

Each takes the :class:`~.site.Site` that it computes at, then the arguments of what it stands for.
"""

import torch
from torch.nn import functional

from .attention import additive_mask, attention
from .multihead import multihead_attention

__all__ = [
    "addmm",
    "einsum",
    "linear",
    "matmul",
    "multi_head_attention_forward",
    "parse_einsum",
    "scaled_dot_product_attention",
    "transformer_encoder_layer",
]


def linear(site, x, weight, bias=None):
    """``functional.linear`` with a weight that is computed, not a parameter: packed at every call."""
    if 0 in (*x.shape, *weight.shape):
        return functional.linear(x, weight, bias)
    if weight.dim() == 1:
        result = _product(site, x, weight.unsqueeze(0), "nk").squeeze(-1)
    else:
        result = _product(site, x, weight, "nk")
    return result if bias is None else result + bias


def matmul(site, a, b):
    """``torch.matmul``, ``mm`` and ``bmm``: vectors, matrices and batches of them, which broadcast."""
    if 0 in (*a.shape, *b.shape):
        return torch.matmul(a, b)
    if b.dim() == 1:
        return _product(site, a, b.unsqueeze(0), "nk").squeeze(-1)
    return _product(site, a, b, "kn")


def _product(site, a, b, b_layout):
    """``site.product`` of a vector or matrices with matrices; a batch that meets one B is one matrix."""
    if b.dim() == 2 and a.dim() > 2:
        return site.product(a.flatten(0, -2), b, b_layout=b_layout).unflatten(0, a.shape[:-1])
    if a.dim() == 1:
        return site.product(a.unsqueeze(0), b, b_layout=b_layout).squeeze(-2)
    return site.product(a, b, b_layout=b_layout)


def addmm(site, x, a, b, *, beta=1, alpha=1):
    """``torch.addmm`` and ``baddbmm``."""
    result = matmul(site, a, b)
    if alpha != 1:
        result = result * alpha
    return result if beta == 0 else result + (x if beta == 1 else beta * x)


def parse_einsum(equation):
    """The subscripts of an einsum of two operands that is one batched matrix product.

    Returns
    -------
    tuple of str, or None
        Of the first operand, the second, and the result. None where there are other than two operands,
        ellipses, a subscript repeated in an operand, summed in one alone, or none that both sum.
    """
    inputs, arrow, output = equation.replace(" ", "").partition("->")
    operands = inputs.split(",")
    if len(operands) != 2 or "." in equation:
        return None
    a, b = operands
    if not arrow:
        output = "".join(sorted(name for name in {*a, *b} if (a + b).count(name) == 1))
    if any(len(set(names)) != len(names) for names in (a, b, output)):
        return None
    summed = (set(a) | set(b)) - set(output)
    if not summed or not summed <= set(a) & set(b):
        return None
    return a, b, output


def einsum(site, equation, a, b):
    """``torch.einsum`` of two operands, one batched product; see :func:`parse_einsum`."""
    if 0 in (*a.shape, *b.shape):
        return torch.einsum(equation, a, b)
    a_names, b_names, output = parse_einsum(equation)
    batch = [name for name in a_names if name in b_names and name in output]
    k = [name for name in a_names if name in b_names and name not in output]
    m = [name for name in a_names if name not in b_names]
    n = [name for name in b_names if name not in a_names]
    size = dict(zip(a_names + b_names, (*a.shape, *b.shape), strict=True))

    def matrices(tensor, names, rows):
        count, length = len(batch), len(batch) + len(rows)
        tensor = tensor.permute([names.index(name) for name in (*batch, *rows, *k)])
        shape = tensor.shape
        return tensor.reshape(*shape[:count], shape[count:length].numel(), shape[length:].numel())

    result = site.product(matrices(a, a_names, m), matrices(b, b_names, n), b_layout="nk")
    names = [*batch, *m, *n]
    result = result.reshape([size[name] for name in names])
    return result.permute([names.index(name) for name in output])


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

    def batched(tensor):
        """(B, H, L, D), where B are all dimensions before the heads."""
        tensor = tensor if tensor.dim() > 2 else tensor.unsqueeze(0)
        return tensor.expand(*leading, *tensor.shape[-3:]).reshape(-1, *tensor.shape[-3:])

    if is_causal:
        attn_mask = torch.ones(query.shape[-2], key.shape[-2], dtype=torch.bool).tril_()
    mask = None if attn_mask is None else batched(attn_mask)
    result, _ = attention(
        site,
        batched(query),
        batched(key),
        batched(value),
        scaling=query.shape[-1] ** -0.5 if scale is None else scale,
        masks=(additive_mask(mask),),
        dropout=dropout_p,
    )
    if mask is not None and not is_causal:
        hidden = ~mask if mask.dtype is torch.bool else mask == -torch.inf
        result = result.masked_fill(hidden.all(-1, keepdim=True), 0.0)
    return result.reshape(*leading, *query.shape[-3:-1], value.shape[-1])


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
