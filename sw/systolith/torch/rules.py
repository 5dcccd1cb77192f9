"""For every torch operator that multiplies matrices: whether and how a node of it runs on the device."""

import operator

import torch
from torch import fx
from torch._ops import HigherOrderOperator
from torch.nn import functional
from torch.utils.flop_counter import flop_registry

from . import operators
from .attention_rules import ATTENTION_RULES
from .graph import FOREIGN, Stay, is_foreign
from .nodes import arguments, check_operands, example

__all__ = ["find_rule"]


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
    given = arguments(node, ("input|self", "weight", "bias"))
    x, weight, bias = given["input"], given["weight"], given.get("bias")
    check_operands(x, weight)
    done = _multiply(rewriter, node, label, x, weight, transposed=False, bias=bias)
    if done is None:
        rewriter.exchange(node, operators.linear, rewriter.site(label), (x, weight, bias))
    return done or COMPUTED


def _matmul(rewriter, node, label):
    given = arguments(node, ("input|self", "other|mat2|tensor2"))
    a, b = given["input"], given["other"]
    check_operands(a, b)
    a_value, b_value = example(a), example(b)
    if a_value.dim() == b_value.dim() == 1:
        raise Stay("a product of two vectors")
    _check_k(a_value.shape[-1])
    done = _multiply(rewriter, node, label, a, b, transposed=True)
    if done is None:
        rewriter.exchange(node, operators.matmul, rewriter.site(label), (a, b))
    return done or COMPUTED


def _check_k(*lengths):
    if all(isinstance(length, int) and length == 1 for length in lengths):
        raise Stay("an outer product: nothing is summed")


def _addmm(rewriter, node, label):
    given = arguments(node, ("input|self", "mat1|batch1", "mat2|batch2", "beta", "alpha"))
    x, a, b = given.pop("input"), given.pop("mat1"), given.pop("mat2")
    check_operands(x, a, b)
    _check_k(example(a).shape[-1])
    scaled = any(given.get(name, 1) != 1 for name in ("alpha", "beta"))
    if not scaled and example(x).dim() == 1:
        done = _multiply(rewriter, node, label, a, b, transposed=True, bias=x)
        if done is not None:
            return done
    rewriter.exchange(node, operators.addmm, rewriter.site(label), (x, a, b), given)
    return COMPUTED


def _einsum(rewriter, node, label):
    equation, *operands = node.args
    if len(operands) == 1 and isinstance(operands[0], (tuple, list)):
        operands = list(operands[0])
    if len(operands) == 1:
        return None
    names = operators.parse_einsum(equation) if isinstance(equation, str) else None
    if names is None:
        raise Stay(f"{equation!r} is not one product of two operands")
    check_operands(*operands)
    (a_names, b_names, output), (a, b) = names, operands
    k = "".join(name for name in a_names if name not in output)
    lengths = [
        [example(x).shape[names.index(name)] for name in k] for names, x in ((a_names, a), (b_names, b))
    ]
    _check_k(*lengths[0], *lengths[1])
    for (x_names, x), (w_names, w) in (((a_names, a), (b_names, b)), ((b_names, b), (a_names, a))):
        is_linear = x_names.endswith(k) and output == x_names[:-1] + w_names.replace(k, "")
        if len(k) == 1 and len(w_names) == 2 and is_linear and lengths[0] == lengths[1]:
            done = _multiply(rewriter, node, label, x, w, transposed=w_names.startswith(k))
            if done is not None:
                return done
    rewriter.exchange(node, operators.einsum, rewriter.site(label), (equation, a, b))
    return COMPUTED


def _stay(why):
    def rule(rewriter, node, label):  # noqa: ARG001
        raise Stay(why)

    return rule


_FOREIGN = _stay(FOREIGN)
_CONVOLUTION = _stay("a convolution")
_OTHER = _stay("no operator that is offloaded")


def _enclosing(rewriter, node, label):
    """A node that runs graphs of its own: a checkpoint, a branch, a loop."""
    if node.target in flop_registry:
        return _OTHER(rewriter, node, label)
    called = [argument.target for argument in node.all_input_nodes if argument.op == "get_attr"]
    enclosed = [operator.attrgetter(name)(rewriter.graph_module) for name in called]
    if any(isinstance(graph, fx.GraphModule) and _multiplies(graph) for graph in enclosed):
        raise Stay("its products are in a graph of their own, which is left as it is")
    return None


def _multiplies(graph_module):
    """Whether a graph, or one within it, multiplies matrices."""
    graphs = (module.graph for module in graph_module.modules() if isinstance(module, fx.GraphModule))
    functions = (
        node.target for graph in graphs for node in graph.nodes if node.op in ("call_function", "call_method")
    )
    return any(
        function in flop_registry or find_rule(function) not in (None, _enclosing) for function in functions
    )


RULES = {
    functional.linear: _linear,
    torch.matmul: _matmul,
    torch.linalg.matmul: _matmul,
    torch.mm: _matmul,
    torch.bmm: _matmul,
    operator.matmul: _matmul,
    operator.imatmul: _matmul,
    "matmul": _matmul,
    "mm": _matmul,
    "bmm": _matmul,
    "__matmul__": _matmul,
    torch.addmm: _addmm,
    torch.baddbmm: _addmm,
    "addmm": _addmm,
    "baddbmm": _addmm,
    torch.einsum: _einsum,
    **ATTENTION_RULES,
    torch.conv1d: _CONVOLUTION,
    torch.conv2d: _CONVOLUTION,
    torch.conv3d: _CONVOLUTION,
    torch.conv_transpose1d: _CONVOLUTION,
    torch.conv_transpose2d: _CONVOLUTION,
    torch.conv_transpose3d: _CONVOLUTION,
    torch.conv_tbc: _CONVOLUTION,
    torch.bilinear: _OTHER,
    torch.inner: _OTHER,
    "inner": _OTHER,
    torch.matrix_power: _OTHER,
    torch.linalg.matrix_power: _OTHER,
    "matrix_power": _OTHER,
    torch.lstm: _OTHER,
    torch.gru: _OTHER,
    torch.rnn_tanh: _OTHER,
    torch.rnn_relu: _OTHER,
}
"""Function or name of a method to its rule; of those that stay, only what multiplies matrices too."""

MULTIPLYING = ("mm", "mv", "dot", "matmul", "_cell")
"""Ends of the names that torch gives to functions that multiply matrices, and to no others."""


def find_rule(function):
    """The rule for what a node calls.

    Parameters
    ----------
    function : callable or str
        A function, or the name of a method.

    Returns
    -------
    callable or None
        None if it multiplies nothing.
    """
    if function in RULES:
        return RULES[function]
    if is_foreign(function):
        return _FOREIGN
    if isinstance(function, HigherOrderOperator):
        return _enclosing
    packet = getattr(function, "_overloadpacket", function)
    name = packet if isinstance(packet, str) else packet.__name__
    return _OTHER if packet in flop_registry or name.strip("_").endswith(MULTIPLYING) else None
