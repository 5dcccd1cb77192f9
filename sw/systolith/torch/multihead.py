"""Multi-head attention, projections included, on the device."""

import torch
from torch import nn
from torch.nn import functional

from .attention import attention

__all__ = ["OffloadedMultiheadAttention", "multihead_attention"]


def multihead_attention(
    site,
    query,
    key,
    value,
    *,
    num_heads,
    in_proj_weight,
    in_proj_bias,
    separate_weights,
    out_proj,
    bias_k=None,
    bias_v=None,
    add_zero_attn=False,
    attn_mask=None,
    key_padding_mask=None,
    dropout=0.0,
    batch_first=False,
):
    """Input projections, both attention products of every head and the output projection.

    Parameters
    ----------
    site : Site
    query, key, value : Tensor
        (L, B, E) float32, (B, L, E) with ``batch_first``, or (L, E).
    num_heads : int
    in_proj_weight : Parameter or None
        (3 · E, E), of query, key and value.
    in_proj_bias : Tensor or None
        (3 · E,).
    separate_weights : tuple of Parameter or None
        Of query, key and value, instead of ``in_proj_weight``.
    out_proj : callable
        The output projection.
    bias_k, bias_v : Tensor or None
        (1, 1, E): one more key and value for every sequence.
    add_zero_attn : bool
        Whether a zero is one more key and value.
    attn_mask, key_padding_mask : Tensor or None
        As those of ``nn.MultiheadAttention``: True forbids, floats are added.
    dropout : float
    batch_first : bool

    Returns
    -------
    output : Tensor
        Shaped as ``query``.
    weights : Tensor
        (B, H, Lq, Lk), or (H, Lq, Lk) without a batch.

    Raises
    ------
    TypeError, ValueError
        If an input is nested, has another dtype or unsuitable sizes, or holds NaN or infinity.
    """
    if query.is_nested or key.is_nested or value.is_nested:
        raise TypeError("offloaded attention takes padded tensors, not nested ones")
    batched = query.dim() == 3
    if separate_weights is None:
        query, key, value = _project(site, query, key, value, in_proj_weight, in_proj_bias)
    else:
        biases = (None, None, None) if in_proj_bias is None else in_proj_bias.chunk(3)
        query, key, value = (
            site.linear(x, weight, bias, part=part)
            for x, weight, bias, part in zip(
                (query, key, value), separate_weights, biases, "qkv", strict=True
            )
        )
    if not batched:
        query, key, value = (tensor.unsqueeze(0) for tensor in (query, key, value))
        if key_padding_mask is not None:
            key_padding_mask = key_padding_mask.unsqueeze(0)
    # (L, B, E) or (B, L, E) to (B, H, L, E / H)
    order = (0, 2, 1, 3) if batch_first or not batched else (1, 2, 0, 3)
    query, key, value = (
        tensor.unflatten(-1, (num_heads, -1)).permute(order) for tensor in (query, key, value)
    )
    if bias_k is not None:
        key, value = _append(key, bias_k), _append(value, bias_v)
    if add_zero_attn:
        key, value = functional.pad(key, (0, 0, 0, 1)), functional.pad(value, (0, 0, 0, 1))

    output, weights = attention(
        site,
        query,
        key,
        value,
        scaling=query.shape[-1] ** -0.5,
        masks=_masks(query, key, attn_mask, key_padding_mask, (bias_k is not None) + add_zero_attn),
        dropout=dropout,
    )
    output = output.permute(0, 2, 1, 3).flatten(2)
    if batched and not batch_first:
        output = output.transpose(0, 1)
    output = out_proj(output)
    return (output, weights) if batched else (output.squeeze(0), weights.squeeze(0))


def _project(site, query, key, value, weight, bias):
    """The three input projections, in as few products as the inputs allow."""
    if query is key and key is value:
        return site.linear(query, weight, bias, part="qkv").chunk(3, dim=-1)
    size = weight.shape[0] // 3

    def project(x, first, last, part):
        rows = (first * size, last * size)
        part_bias = None if bias is None else bias[slice(*rows)]
        return site.linear(x, weight, part_bias, rows=rows, part=part)

    if key is value:
        return project(query, 0, 1, "q"), *project(key, 1, 3, "kv").chunk(2, dim=-1)
    return project(query, 0, 1, "q"), project(key, 1, 2, "k"), project(value, 2, 3, "v")


def _append(tensor, token):
    """(B, H, L, D) with one more token, (1, 1, E), for every sequence."""
    batch, heads, _, size = tensor.shape
    token = token.view(1, heads, 1, size).expand(batch, -1, -1, -1)
    return torch.cat([tensor, token], dim=2)


def _forbidding(mask):
    """The additive mask of nn.MultiheadAttention's masks, whose True means: do not attend."""
    if mask is None or mask.dtype is not torch.bool:
        return mask
    return torch.zeros(mask.shape, dtype=torch.float32).masked_fill_(mask, -torch.inf)


def _masks(query, key, attn_mask, key_padding_mask, appended):
    """Both masks as additive masks that broadcast to (B, H, Lq, Lk), the appended tokens visible."""
    batch, heads, q_length, _ = query.shape
    k_length = key.shape[2]
    given = k_length - appended
    if attn_mask is not None:
        sizes = {2: (q_length, given), 3: (batch * heads, q_length, given)}
        if tuple(attn_mask.shape) != sizes.get(attn_mask.dim()):
            raise ValueError(f"attn_mask must be {sizes[2]} or {sizes[3]}, not {tuple(attn_mask.shape)}")
        attn_mask = functional.pad(_forbidding(attn_mask), (0, appended))
        if attn_mask.dim() == 3:
            attn_mask = attn_mask.view(batch, heads, q_length, k_length)
    if key_padding_mask is not None:
        if tuple(key_padding_mask.shape) != (batch, given):
            raise ValueError(
                f"key_padding_mask must be {(batch, given)}, not {tuple(key_padding_mask.shape)}"
            )
        key_padding_mask = functional.pad(_forbidding(key_padding_mask), (0, appended))[:, None, None, :]
    return attn_mask, key_padding_mask


class OffloadedMultiheadAttention(nn.MultiheadAttention):
    """Multi-head attention whose projections and attention products all run on the device.

    :func:`~systolith.torch.offload` makes it of an ``nn.MultiheadAttention`` by changing its class, so
    parameters, hooks and the keys of ``state_dict()`` remain. There is no fused fast path to fall into.
    Changed parameters are packed again when next used; what is written through ``.data`` needs
    :func:`~systolith.torch.repack`.
    """

    transposed = False

    def forward(
        self,
        query,
        key,
        value,
        key_padding_mask=None,
        need_weights=True,
        attn_mask=None,
        average_attn_weights=True,
        is_causal=False,
    ):
        """As ``nn.MultiheadAttention``: same arguments, shapes and results; nested tensors are refused.

        Raises
        ------
        TypeError, ValueError
            If an input is nested, has another dtype or unsuitable sizes, or holds NaN or infinity.
        """
        if is_causal and attn_mask is None:
            raise ValueError(
                "is_causal needs attn_mask: it says that the mask is causal, it does not make one"
            )
        separate = (self.q_proj_weight, self.k_proj_weight, self.v_proj_weight)
        output, weights = multihead_attention(
            self._systolith,
            query,
            key,
            value,
            num_heads=self.num_heads,
            in_proj_weight=self.in_proj_weight,
            in_proj_bias=self.in_proj_bias,
            separate_weights=None if self._qkv_same_embed_dim else separate,
            out_proj=self.out_proj,
            bias_k=self.bias_k,
            bias_v=self.bias_v,
            add_zero_attn=self.add_zero_attn,
            attn_mask=attn_mask,
            key_padding_mask=key_padding_mask,
            dropout=self.dropout if self.training else 0.0,
            batch_first=self.batch_first,
        )
        if not need_weights:
            return output, None
        return output, weights.mean(dim=-3) if average_attn_weights else weights
