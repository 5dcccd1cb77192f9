"""Transformers' models: their attention, and the ``Conv1D`` that GPT-2 uses for linear layers."""

import torch
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.masking_utils import eager_mask
from transformers.pytorch_utils import Conv1D

from .attention import additive_mask, attention
from .site import Site

__all__ = ["ATTENTION", "Conv1D", "OffloadedConv1D", "hook_attention"]

ATTENTION = "systolith"
"""Name under which the attention is registered: ``config._attn_implementation`` of offloaded models."""


class OffloadedConv1D(Conv1D):
    """Transformers' ``Conv1D``, a linear layer with a K×N weight, on the device.

    Changed parameters are packed again when next used; what is written through ``weight.data`` needs
    :func:`~systolith.torch.repack`.
    """

    transposed = True

    def forward(self, x):
        """(…, K) float32 to (…, N) float32; see :meth:`Site.linear`."""
        return self._systolith.linear(x, self.weight, self.bias, transposed=True)


def attend(
    module,
    query,
    key,
    value,
    attention_mask,
    *,
    scaling=None,
    dropout=0.0,
    is_causal=None,
    softcap=None,
    position_bias=None,
    s_aux=None,
    cache=None,
    **kwargs,  # noqa: ARG001 -- of other implementations
):
    """The attention function of transformers' ``AttentionInterface``, with both products on the device.

    Parameters
    ----------
    module : Module
        The attention module of an offloaded model.
    query : Tensor
        (B, H, Lq, D) float32.
    key, value : Tensor
        (B, Hkv, Lk, D) float32.
    attention_mask : Tensor or None
        Broadcasts to (B, H, Lq, Lk); bool (True: attend) or float32 (added). ``None`` with causal attention
        of more than one query: token i attends to the first i + 1 keys.
    scaling, dropout, is_causal, softcap, position_bias, s_aux
        As the models give them; ``s_aux`` are attention sinks.
    cache : None
        Paged caches are refused.

    Returns
    -------
    output : Tensor
        (B, Lq, H, D) float32.
    weights : Tensor
        (B, H, Lq, Lk) float32.
    """
    site = module.__dict__.get("_systolith")
    if site is None:
        raise RuntimeError(
            f"this {type(module).__name__} was not offloaded, but shares its configuration with a model that "
            "was offloaded in place"
        )
    if cache is not None:
        raise NotImplementedError("paged key-value caches cannot be used with offloaded models")
    if is_causal is None:
        is_causal = getattr(module, "is_causal", True)
    q_length, k_length = query.shape[2], key.shape[2]
    if attention_mask is None and is_causal and q_length > 1:
        attention_mask = torch.ones(q_length, k_length, dtype=torch.bool).tril_()
    if query.shape[0] == 1 != key.shape[0]:
        query = query.expand(key.shape[0], -1, -1, -1)
    output, weights = attention(
        site,
        query,
        key,
        value,
        scaling=query.shape[-1] ** -0.5 if scaling is None else scaling,
        masks=(position_bias, additive_mask(attention_mask)),
        softcap=softcap,
        sinks=s_aux,
        dropout=dropout if module.training else 0.0,
    )
    return output.transpose(1, 2).contiguous(), weights


def hook_attention(model, engine, undo):
    """Route the attention of every transformers model in ``model`` to the device.

    Models that do not follow transformers' attention interface keep their attention products on the host;
    transformers logs a warning for them.

    Parameters
    ----------
    model : Module
    engine : Engine
    undo : Undo
        Receives what restores the model.
    """
    AttentionInterface.register(ATTENTION, attend)
    AttentionMaskInterface.register(ATTENTION, eager_mask)
    outer = None
    for name, module in model.named_modules():
        if not isinstance(module, PreTrainedModel) or (outer is not None and name.startswith(outer)):
            continue
        outer = f"{name}." if name else ""
        undo.callback(module, PreTrainedModel.set_attn_implementation, module.config._attn_implementation)
        module.set_attn_implementation(ATTENTION)
        for part_name, part in module.named_modules(prefix=name):
            if "_systolith" not in part.__dict__:
                part._systolith = Site(engine, part_name)
                undo.callback(part, delattr, "_systolith")
