"""For torch's operators for attention: whether and how a node of them runs on the device."""

import torch
from torch.nn import functional

from . import attention_operators
from .graph import Stay
from .nodes import arguments, check_operands, example

__all__ = ["ATTENTION_RULES"]


def _scaled_dot_product_attention(rewriter, node, label):
    names = ("query", "key", "value", "attn_mask", "dropout_p", "is_causal", "scale", "enable_gqa")
    given = arguments(node, names)
    check_operands(given["query"], given["key"], given["value"])
    site = rewriter.site(label)
    rewriter.exchange(node, attention_operators.scaled_dot_product_attention, site, (), given)
    return "both products; softmax on the host"


def _multi_head_attention_forward(rewriter, node, label):
    given = arguments(
        node,
        (
            "query", "key", "value", "embed_dim_to_check", "num_heads", "in_proj_weight", "in_proj_bias",
            "bias_k", "bias_v", "add_zero_attn", "dropout_p", "out_proj_weight", "out_proj_bias", "training",
            "key_padding_mask", "need_weights", "attn_mask", "use_separate_proj_weight", "q_proj_weight",
            "k_proj_weight", "v_proj_weight", "static_k", "static_v", "average_attn_weights", "is_causal",
        ),
    )  # fmt: skip
    static = given.pop("static_k", None), given.pop("static_v", None)
    if static != (None, None):
        raise Stay("keys or values are static")
    site = rewriter.site(label)
    query, key, value = given["query"], given["key"], given["value"]
    weights = [(site, "out_proj", given["out_proj_weight"], None)]
    if given.get("use_separate_proj_weight"):
        weights += ((site, part, given[f"{part}_proj_weight"], None) for part in "qkv")
    else:
        weight = given["in_proj_weight"]
        check_operands(weight)
        size = example(weight).shape[0] // 3
        same = (("qkv", 0, 3),) if query is key is value else (("q", 0, 1), ("kv", 1, 3))
        thirds = same if key is value else (("q", 0, 1), ("k", 1, 2), ("v", 2, 3))
        weights += ((site, part, weight, (first * size, last * size)) for part, first, last in thirds)
    check_operands(query, key, value, *(weight for _, _, weight, _ in weights))
    _pack_all(rewriter, weights)
    rewriter.exchange(node, attention_operators.multi_head_attention_forward, site, (), given)
    return "projections and both products; softmax on the host"


def _transformer_encoder_layer(rewriter, node, label):
    names = (
        "src", "embed_dim", "num_heads", "qkv_weight", "qkv_bias", "proj_weight", "proj_bias", "use_gelu",
        "norm_first", "eps", "norm_weight_1", "norm_bias_1", "norm_weight_2", "norm_bias_2", "ffn_weight_1",
        "ffn_bias_1", "ffn_weight_2", "ffn_bias_2", "mask", "mask_type",
    )  # fmt: skip
    given = arguments(node, names)
    weights = [given[name] for name in ("qkv_weight", "proj_weight", "ffn_weight_1", "ffn_weight_2")]
    check_operands(given["src"], *weights)
    site = rewriter.site(label)
    heads = site.part("self_attn")
    places = ((heads, "qkv"), (heads, "out_proj"), (site, "linear1"), (site, "linear2"))
    _pack_all(rewriter, [(*place, weight, None) for place, weight in zip(places, weights, strict=True)])
    rewriter.exchange(node, attention_operators.transformer_encoder_layer, site, (), given)
    return "all products; softmax, norms and activation on the host"


def _pack_all(rewriter, weights):
    """Pack weights, or rows of them, that must be whole parameters."""
    found = [(*place, rewriter.weight(node, transposed=False), rows) for *place, node, rows in weights]
    if any(weight is None or weight.rows or weight.transposed for *_, weight, _ in found):
        raise Stay("a weight is computed")
    for site, part, weight, rows in found:
        whole = rows is None or rows == (0, example(weight.node).shape[0])
        rewriter.pack(site, weight if whole else weight._replace(rows=rows), part)


ATTENTION_RULES = {
    functional.scaled_dot_product_attention: _scaled_dot_product_attention,
    functional.multi_head_attention_forward: _multi_head_attention_forward,
    torch._transformer_encoder_layer_fwd: _transformer_encoder_layer,
}
"""Function to its rule."""
