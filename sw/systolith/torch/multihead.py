"""``nn.MultiheadAttention`` on the device."""

import torch
from torch import nn
from torch.nn import functional

from .attention import attention

__all__ = ["OffloadedMultiheadAttention"]


def _forbidding(mask):
    """The additive mask of nn.MultiheadAttention's masks, whose True means: do not attend."""
    if mask is None or mask.dtype is not torch.bool:
        return mask
    return torch.zeros(mask.shape).masked_fill_(mask, -torch.inf)


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
        if query.is_nested or key.is_nested or value.is_nested:
            raise TypeError("offloaded attention takes padded tensors, not nested ones")
        batched = query.dim() == 3
        if is_causal and attn_mask is None:
            raise ValueError(
                "is_causal needs attn_mask: it says that the mask is causal, it does not make one"
            )

        query, key, value = self._project(query, key, value)
        if not batched:
            query, key, value = (tensor.unsqueeze(0) for tensor in (query, key, value))
            if key_padding_mask is not None:
                key_padding_mask = key_padding_mask.unsqueeze(0)
        # (L, B, E) or (B, L, E) to (B, H, L, E / H)
        order = (0, 2, 1, 3) if self.batch_first or not batched else (1, 2, 0, 3)
        query, key, value = (
            tensor.unflatten(-1, (self.num_heads, self.head_dim)).permute(order)
            for tensor in (query, key, value)
        )
        if self.bias_k is not None:
            key = self._append(key, self.bias_k)
            value = self._append(value, self.bias_v)
        if self.add_zero_attn:
            key = functional.pad(key, (0, 0, 0, 1))
            value = functional.pad(value, (0, 0, 0, 1))

        output, weights = attention(
            self._systolith,
            query,
            key,
            value,
            scaling=self.head_dim**-0.5,
            masks=self._masks(query, key, attn_mask, key_padding_mask),
            dropout=self.dropout if self.training else 0.0,
        )
        output = output.permute(0, 2, 1, 3).flatten(2)
        if batched and not self.batch_first:
            output = output.transpose(0, 1)
        output = self.out_proj(output)
        if not need_weights:
            return (output if batched else output.squeeze(0)), None
        if average_attn_weights:
            weights = weights.mean(dim=1)
        return (output, weights) if batched else (output.squeeze(0), weights.squeeze(0))

    def _project(self, query, key, value):
        """The three input projections, in as few products as the inputs allow."""
        site, bias, size = self._systolith, self.in_proj_bias, self.embed_dim
        if not self._qkv_same_embed_dim:
            biases = (None, None, None) if bias is None else bias.chunk(3)
            weights = (self.q_proj_weight, self.k_proj_weight, self.v_proj_weight)
            return tuple(
                site.linear(x, weight, part_bias, part=part)
                for x, weight, part_bias, part in zip(
                    (query, key, value), weights, biases, "qkv", strict=True
                )
            )
        if query is key and key is value:
            return site.linear(query, self.in_proj_weight, bias, part="qkv").chunk(3, dim=-1)

        def project(x, first, last, part):
            rows = (first * size, last * size)
            part_bias = None if bias is None else bias[slice(*rows)]
            return site.linear(x, self.in_proj_weight, part_bias, rows=rows, part=part)

        if key is value:
            return project(query, 0, 1, "q"), *project(key, 1, 3, "kv").chunk(2, dim=-1)
        return project(query, 0, 1, "q"), project(key, 1, 2, "k"), project(value, 2, 3, "v")

    def _append(self, tensor, token):
        """(B, H, L, D) with one more token, (1, 1, E), for every sequence."""
        token = token.view(1, self.num_heads, 1, self.head_dim).expand(tensor.shape[0], -1, -1, -1)
        return torch.cat([tensor, token], dim=2)

    def _masks(self, query, key, attn_mask, key_padding_mask):
        """Both masks as additive masks that broadcast to (B, H, Lq, Lk), the appended tokens visible."""
        batch, heads, q_length, _ = query.shape
        k_length = key.shape[2]
        appended = (self.bias_k is not None) + self.add_zero_attn
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
