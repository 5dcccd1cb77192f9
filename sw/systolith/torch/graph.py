"""A graph of torch operators in which some are exchanged for ones that the device computes.

The graphs are those that Dynamo hands to a backend of ``torch.compile``: torch's own operators on real
parameters and symbolic tensors, before anything is decomposed.
"""

import operator
import re
from typing import NamedTuple

import torch
from torch import fx, nn
from torch._ops import OpOverload, OpOverloadPacket

from .prequantized import int8_weight, stored
from .report import DEVICE, HOST, Row
from .site import Site

__all__ = ["FOREIGN", "DeviceOperator", "Rewriter", "Stay", "Weight", "is_foreign"]


class Stay(Exception):  # noqa: N818 -- nothing is wrong
    """Why a node stays on the host."""


class Weight(NamedTuple):
    """A parameter that is an operand, and how it is to be read as (N, K)."""

    node: fx.Node
    rows: tuple[int, int] | None
    transposed: bool


class DeviceOperator(nn.Module):
    """A node that runs on the device.

    Parameters
    ----------
    function : callable
        Called with the site, then the node's arguments.
    site : Site
    options : dict
        More arguments, the same in every call.
    """

    def __init__(self, function, site, **options):
        super().__init__()
        self.function = function
        self.site = site
        self.options = options

    def forward(self, *args, **kwargs):
        """What the node gave."""
        return self.function(self.site, *args, **kwargs, **self.options)


VIEWS = {
    "t", "transpose", "permute", "chunk", "split", "narrow", "unbind", "view", "unsqueeze", "squeeze",
    torch.t, torch.transpose, torch.permute, torch.chunk, torch.split, torch.narrow, torch.unbind,
    getattr, operator.getitem,
}  # fmt: skip
"""Operators that, applied to parameters, only look at them in another way."""


OWN = {
    "linear",
    "addmm",
    "scaled_dot_product_attention",
    "multi_head_attention_forward",
    "transformer_encoder_layer_fwd",
}
"""Operators that are all there is of the module that calls them; their products are named after it."""


FOREIGN = "an operator that is not torch's"


def is_foreign(function):
    """Whether a function is an operator that somebody registered with torch."""
    is_operator = isinstance(function, OpOverload | OpOverloadPacket)
    return is_operator and str(function).partition(".")[0] not in ("aten", "prim", "prims")


def _check_result(node):
    """That a node gives what the device would: torch.autocast makes operators give something else."""
    value = node.meta.get("example_value")
    if isinstance(value, torch.Tensor) and value.dtype is not torch.float32:
        raise Stay(f"its result is {str(value.dtype).removeprefix('torch.')}, not float32")


class Rewriter:
    """Exchanges the nodes of one graph.

    Parameters
    ----------
    graph_module : GraphModule
    example_inputs : sequence
        What its placeholders stand for; parameters are real.
    engine : Engine
    """

    def __init__(self, graph_module, example_inputs, engine):
        self.graph_module = graph_module
        self.graph = graph_module.graph
        self.engine = engine
        self._labels = set()
        # node to the parameter's node and a view of the parameter
        self._parameters = {}
        placeholders = (node for node in self.graph.nodes if node.op == "placeholder")
        for node, value in zip(placeholders, example_inputs, strict=True):
            if isinstance(value, nn.Parameter):
                self._parameters[node] = node, value
        for node in self.graph.find_nodes(op="get_attr"):
            value = operator.attrgetter(node.target)(graph_module)
            if isinstance(value, nn.Parameter):
                self._parameters[node] = node, value

    @property
    def parameters(self):
        """Every parameter that the graph uses."""
        return [value for _, value in self._parameters.values() if isinstance(value, nn.Parameter)]

    def run(self, find_rule):
        """Rewrite the graph.

        Parameters
        ----------
        find_rule : callable
            From a function, or the name of a method, to its rule, or to None if it multiplies nothing. A rule
            is called with this rewriter, a node and its label: it exchanges the node and returns what then
            runs on the device, or raises :class:`Stay`, or returns None if the node multiplies nothing.

        Returns
        -------
        list of Row
            What became of every node for which there is a rule.
        """
        rows = []
        transforms = 0
        for node in list(self.graph.nodes):
            if node.op not in ("call_function", "call_method"):
                continue
            kind = node.target if isinstance(node.target, str) else node.target.__name__
            kind = kind.lstrip("_").partition(".")[0]
            transforms += kind.endswith("increment_nesting") - kind.endswith("decrement_nesting")
            self._follow_view(node)
            rule = find_rule(node.target)
            if rule is None:
                continue
            label = self._label(node, kind)
            try:
                if transforms:
                    raise Stay("under a transform such as torch.vmap")
                _check_result(node)
                why = rule(self, node, label)
            except Stay as reason:
                rows.append(Row(label, kind, HOST, str(reason)))
            else:
                if why is not None:
                    rows.append(Row(label, kind, DEVICE, why))
        # what has no users stays: it may write in place, or switch a transform on
        self.graph.lint()
        self.graph_module.recompile()
        return rows

    def _follow_view(self, node):
        """Views of parameters, computed on the parameters themselves."""
        viewed = node.args[0] if node.args else None
        if node.target not in VIEWS or not isinstance(viewed, fx.Node) or viewed not in self._parameters:
            return
        source, value = self._parameters[viewed]
        if isinstance(value, torch.Tensor) and stored(value) is not value:
            return
        if any(isinstance(argument, fx.Node) for argument in (*node.args[1:], *node.kwargs.values())):
            return
        with torch.no_grad():
            if node.op == "call_method":
                view = getattr(value, node.target)(*node.args[1:], **node.kwargs)
            else:
                view = node.target(value, *node.args[1:], **node.kwargs)
        self._parameters[node] = source, view

    def _label(self, node, kind):
        """The module's name in the model, and the operator's where a module has products of its own."""
        stack = list(node.meta.get("nn_module_stack", {}).values())
        path = re.sub(r"^L\['\w+'\]\.?", "", stack[-1][0]) if stack else ""
        name = path if path and kind in OWN else f"{path}.{kind}".lstrip(".")
        label, count = name, 1
        while label in self._labels:
            count += 1
            label = f"{name}.{count}"
        self._labels.add(label)
        return label

    def weight(self, node, *, transposed):
        """The parameter behind an operand (N, K), or (K, N) if ``transposed``; None if there is none."""
        source, view = self._parameters.get(node, (None, None))
        if not isinstance(view, torch.Tensor) or view.dim() != 2:
            return None
        _, parameter = self._parameters[source]
        if view is parameter:
            self._check_quantized(parameter, transposed)
            return Weight(source, None, transposed)
        if parameter.dim() != 2:
            return None
        matrix = view.t() if transposed else view
        offset = matrix.storage_offset() - parameter.storage_offset()
        for flipped, whole in ((False, parameter), (True, parameter.t())):
            if matrix.stride() == whole.stride() and matrix.shape[1] == whole.shape[1]:
                first, within_row = divmod(offset, whole.stride(0))
                if within_row:
                    continue
                rows = None if matrix.shape == whole.shape else (first, first + matrix.shape[0])
                return Weight(source, rows, flipped)
        return None

    def _check_quantized(self, parameter, transposed):
        try:
            quantized = int8_weight(parameter, "its weight")
        except (TypeError, ValueError) as error:
            raise Stay(str(error)) from None
        if quantized is not None and transposed:
            raise Stay("its weight is quantized by input feature, not by output channel")

    def pack(self, site, weight, part=None):
        """Put a weight into device memory now, and tell where it is kept."""
        parameter = self._parameters[weight.node][1]
        return site.hold(parameter, rows=weight.rows, transposed=weight.transposed, part=part).where

    def site(self, label):
        """Where products of that name are computed."""
        return Site(self.engine, label)

    def exchange(self, node, function, site, args, kwargs=None, **options):
        """Put a device operator in the place of a node."""
        name = f"systolith_{node.name}"
        self.graph_module.add_submodule(name, DeviceOperator(function, site, **options))
        with self.graph.inserting_before(node):
            new = self.graph.call_module(name, tuple(args), kwargs or {})
        new.meta = node.meta
        node.replace_all_uses_with(new)
        self.graph.erase_node(node)
