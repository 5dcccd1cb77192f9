"""What a rule asks of a node: its arguments, and whether the device can be given its operands."""

import torch
from torch import fx

from .graph import Stay

__all__ = ["arguments", "check_operands", "example"]


def example(node):
    """The symbolic tensor that a node stands for; None if it stands for none."""
    value = node.meta.get("example_value") if isinstance(node, fx.Node) else None
    return value if isinstance(value, torch.Tensor) else None


def check_operands(*operands):
    """That all operands are of a kind that the device can be given."""
    for operand in operands:
        value = example(operand)
        if value is None:
            raise Stay("an operand is no tensor")
        if value.is_nested:
            raise Stay("an operand is nested")
        if value.dtype is not torch.float32:
            raise Stay(f"operands are {str(value.dtype).removeprefix('torch.')}, not float32")
        if value.device.type != "cpu":
            raise Stay(f"operands are on {value.device}, not on the CPU")


def arguments(node, names):
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
