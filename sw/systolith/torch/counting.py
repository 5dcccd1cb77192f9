"""What a model multiplies on the host while it runs, operator by operator."""

import contextlib

from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from .graph import is_foreign

__all__ = ["count_host"]


class _Counter(TorchDispatchMode):
    """Adds up multiply-accumulates by module and operator; ``stack`` names the modules that are running."""

    def __init__(self, stack):
        super().__init__()
        self.stack = stack
        self.macs = {}

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        operator = func._overloadpacket
        formula = flop_registry.get(operator)
        if formula is None and not is_foreign(func):
            with self:
                result = func.decompose(*args, **kwargs)
            if result is not NotImplemented:
                return result
        result = func(*args, **kwargs)
        key = self.stack[-1], operator.__name__.strip("_")
        if formula is not None:
            self.macs[key] = self.macs.get(key, 0) + formula(*args, **kwargs, out_val=result) // 2
        elif is_foreign(func):
            self.macs[key] = None
        elif key[1].endswith("mm"):
            # without a formula: products of groups of rows, of integers, …
            self.macs[key] = self.macs.get(key, 0) + result.numel() * args[0].shape[-1]
        return result


def count_host(model, args, kwargs):
    """Run a model, and count what it multiplies on the host.

    Returns
    -------
    dict of (str, str) to (int or None)
        Name of the module whose own code called it, and operator, to multiply-accumulates; None for operators
        that are not torch's, of which nobody knows.
    """
    root = type(model).__name__
    stack = [root]
    with contextlib.ExitStack() as hooks:
        for name, module in model.named_modules():

            def enter(module, inputs, name=name or root):  # noqa: ARG001
                stack.append(name)

            def leave(module, inputs, output):  # noqa: ARG001
                stack.pop()

            hooks.callback(module.register_forward_pre_hook(enter).remove)
            hooks.callback(module.register_forward_hook(leave, always_call=True).remove)
        with _Counter(stack) as counter:
            model(*args, **kwargs)
    return counter.macs
