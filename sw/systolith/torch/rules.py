"""For every torch operator that multiplies matrices: whether and how a node of it runs on the device."""

import operator

import torch
from torch import fx
from torch.nn import functional

from . import operators
from .graph import Stay

__all__ = ["RULES"]


def _example(node):
    value = node.meta.get("example_value") if isinstance(node, fx.Node) else None
    return value if isinstance(value, torch.Tensor) else None


def _check(*operands):
    """That all operands are of a kind that the device can be given."""
    for operand in operands:
        value = _example(operand)
        if value is None:
            raise Stay("an operand is no tensor")
        if value.is_nested:
            raise Stay("an operand is nested")
        if value.dtype is not torch.float32:
            raise Stay(f"operands are {str(value.dtype).removeprefix('torch.')}, not float32")
        if value.device.type != "cpu":
            raise Stay(f"operands are on {value.device}, not on the CPU")


def _arguments(node, names):
    """A node's arguments by name, those that are not given left out; a bar separates a name's synonyms."""
    names = [name.split("|") for name in names]
    known = {synonym: name for name, *synonyms in names for synonym in (name, *synonyms)}
    unknown = [name for name, value in node.kwargs.items() if name not in known and value is not None]
    if unknown or len(node.args) > len(names):
        raise Stay(
            f"the argument {unknown[0]} is not known" if unknown else "there are more arguments than known"
        )
    given = {known[name]: value for name, value in node.kwargs.items() if name in known}
    return dict(zip((name for name, *_ in names), node.args, strict=False)) | given


COMPUTED = "both operands packed at every call"


def _multiply(rewriter, node, label, a, b, *, transposed, bias=None):
    """Exchange a product with B, (N, K) or (K, N) if ``transposed``, if that is a parameter."""
    weight = rewriter.weight(b, transposed=transposed)
    if weight is None:
        return None
    site = rewriter.site(label)
    where = rewriter.pack(site, weight)
    args = (a, weight.node) if bias is None else (a, weight.node, bias)
    rewriter.exchange(node, _resident, site, args, rows=weight.rows, transposed=weight.transposed)
    return where


def _resident(site, x, weight, bias=None, **options):
    return site.linear(x, weight, bias, **options)


def _linear(rewriter, node, label):
    given = _arguments(node, ("input|self", "weight", "bias"))
    x, weight, bias = given["input"], given["weight"], given.get("bias")
    _check(x, weight)
    done = _multiply(rewriter, node, label, x, weight, transposed=False, bias=bias)
    if done is None:
        rewriter.exchange(node, operators.linear, rewriter.site(label), (x, weight, bias))
    return done or COMPUTED


def _matmul(rewriter, node, label):
    given = _arguments(node, ("input|self", "other|mat2|tensor2"))
    a, b = given["input"], given["other"]
    _check(a, b)
    a_value, b_value = _example(a), _example(b)
    if a_value.dim() == b_value.dim() == 1:
        raise Stay("a product of two vectors")
    _check_k(a_value.shape[-1])
    done = _multiply(rewriter, node, label, a, b, transposed=True)
    if done is None:
        rewriter.exchange(node, operators.matmul, rewriter.site(label), (a, b))
    return done or COMPUTED


def _check_k(k):
    if isinstance(k, int) and k == 1:
        raise Stay("an outer product: nothing is summed")


def _addmm(rewriter, node, label):
    given = _arguments(node, ("input|self", "mat1|batch1", "mat2|batch2", "beta", "alpha"))
    x, a, b = given.pop("input"), given.pop("mat1"), given.pop("mat2")
    _check(x, a, b)
    _check_k(_example(a).shape[-1])
    scaled = any(given.get(name, 1) != 1 for name in ("alpha", "beta"))
    if not scaled and _example(x).dim() == 1:
        done = _multiply(rewriter, node, label, a, b, transposed=True, bias=x)
        if done is not None:
            return done
    rewriter.exchange(node, operators.addmm, rewriter.site(label), (x, a, b), given)
    return COMPUTED


def _einsum(rewriter, node, label):
    equation, *operands = node.args
    if len(operands) == 1 and isinstance(operands[0], (tuple, list)):
        operands = list(operands[0])
    names = operators.parse_einsum(equation) if isinstance(equation, str) else None
    if names is None:
        raise Stay(f"{equation!r} is not one product of two operands")
    _check(*operands)
    (a_names, b_names, output), (a, b) = names, operands
    k = "".join(name for name in a_names if name not in output)
    _check_k(_example(a).shape[a_names.index(k)] if len(k) == 1 else None)
    for (x_names, x), (w_names, w) in (((a_names, a), (b_names, b)), ((b_names, b), (a_names, a))):
        is_linear = x_names.endswith(k) and output == x_names[:-1] + w_names.replace(k, "")
        if len(k) == 1 and len(w_names) == 2 and is_linear:
            done = _multiply(rewriter, node, label, x, w, transposed=w_names.startswith(k))
            if done is not None:
                return done
    rewriter.exchange(node, operators.einsum, rewriter.site(label), (equation, a, b))
    return COMPUTED


def _scaled_dot_product_attention(rewriter, node, label):
    names = ("query", "key", "value", "attn_mask", "dropout_p", "is_causal", "scale", "enable_gqa")
    given = _arguments(node, names)
    _check(given["query"], given["key"], given["value"])
    site = rewriter.site(label)
    rewriter.exchange(node, operators.scaled_dot_product_attention, site, (), given)
    return "both products; softmax on the host"


def _multi_head_attention_forward(rewriter, node, label):
    given = _arguments(
        node,
        (
            "query", "key", "value", "embed_dim_to_check", "num_heads", "in_proj_weight", "in_proj_bias",
            "bias_k", "bias_v", "add_zero_attn", "dropout_p", "out_proj_weight", "out_proj_bias", "training",
            "key_padding_mask", "need_weights", "attn_mask", "use_separate_proj_weight", "q_proj_weight",
            "k_proj_weight", "v_proj_weight", "static_k", "static_v", "average_attn_weights", "is_causal",
        ),
    )  # fmt: skip
    if given.pop("static_k", None) is not None or given.pop("static_v", None) is not None:
        raise Stay("keys or values are static")
    given.pop("static_v", None)
    site = rewriter.site(label)
    query, key, value = given["query"], given["key"], given["value"]
    places = [(site, "out_proj", given["out_proj_weight"])]
    if given.get("use_separate_proj_weight"):
        places += ((site, part, given[f"{part}_proj_weight"]) for part in "qkv")
    elif query is key is value:
        places.append((site, "qkv", given["in_proj_weight"]))
    _check(query, key, value, *(weight for _, _, weight in places))
    _pack_all(rewriter, places)
    rewriter.exchange(node, operators.multi_head_attention_forward, site, (), given)
    return "projections and both products; softmax on the host"


def _transformer_encoder_layer(rewriter, node, label):
    names = (
        "src", "embed_dim", "num_heads", "qkv_weight", "qkv_bias", "proj_weight", "proj_bias", "use_gelu",
        "norm_first", "eps", "norm_weight_1", "norm_bias_1", "norm_weight_2", "norm_bias_2", "ffn_weight_1",
        "ffn_bias_1", "ffn_weight_2", "ffn_bias_2", "mask", "mask_type",
    )  # fmt: skip
    given = _arguments(node, names)
    weights = [given[name] for name in ("qkv_weight", "proj_weight", "ffn_weight_1", "ffn_weight_2")]
    _check(given["src"], *weights)
    site = rewriter.site(label)
    heads = site.part("self_attn")
    places = ((heads, "qkv"), (heads, "out_proj"), (site, "linear1"), (site, "linear2"))
    _pack_all(rewriter, [(*place, weight) for place, weight in zip(places, weights, strict=True)])
    rewriter.exchange(node, operators.transformer_encoder_layer, site, (), given)
    return "all products; softmax, norms and activation on the host"


def _pack_all(rewriter, weights):
    """Pack weights that must be whole parameters."""
    found = [(site, part, rewriter.weight(node, transposed=False)) for site, part, node in weights]
    if any(weight is None or weight.rows or weight.transposed for _, _, weight in found):
        raise Stay("a weight is computed")
    for site, part, weight in found:
        rewriter.pack(site, weight, part)


def _stay(why):
    def rule(rewriter, node, label):  # noqa: ARG001
        raise Stay(why)

    return rule


_CONVOLUTION = _stay("a convolution")
_OTHER = _stay("no operator that is offloaded")

RULES = {
    functional.linear: _linear,
    torch.matmul: _matmul,
    torch.mm: _matmul,
    torch.bmm: _matmul,
    operator.matmul: _matmul,
    "matmul": _matmul,
    "mm": _matmul,
    "bmm": _matmul,
    "__matmul__": _matmul,
    torch.addmm: _addmm,
    torch.baddbmm: _addmm,
    "addmm": _addmm,
    "baddbmm": _addmm,
    torch.einsum: _einsum,
    functional.scaled_dot_product_attention: _scaled_dot_product_attention,
    functional.multi_head_attention_forward: _multi_head_attention_forward,
    torch._transformer_encoder_layer_fwd: _transformer_encoder_layer,
    torch.conv1d: _CONVOLUTION,
    torch.conv2d: _CONVOLUTION,
    torch.conv3d: _CONVOLUTION,
    torch.conv_transpose1d: _CONVOLUTION,
    torch.conv_transpose2d: _CONVOLUTION,
    torch.conv_transpose3d: _CONVOLUTION,
    torch.bilinear: _OTHER,
    torch.tensordot: _OTHER,
    torch.inner: _OTHER,
    torch.addbmm: _OTHER,
    torch.chain_matmul: _OTHER,
    torch.linalg.multi_dot: _OTHER,
    torch.lstm: _OTHER,
    torch.gru: _OTHER,
    torch.rnn_tanh: _OTHER,
    torch.rnn_relu: _OTHER,
}
"""Function or name of a method to its rule; of those that stay, only what multiplies matrices too."""
