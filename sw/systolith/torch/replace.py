"""Modules that become offloaded ones, by changing their class."""

import sys

from torch import nn
from torch.nn.modules.linear import NonDynamicallyQuantizableLinear

from .linear import OffloadedLinear
from .multihead import OffloadedMultiheadAttention
from .prequantized import int8_weight
from .quantize import check_float32
from .site import Site

__all__ = ["check_weights", "disable_fast_path", "replace", "replacements", "unreplaced"]

PARTS = {
    "weight": None,
    "in_proj_weight": "qkv",
    "q_proj_weight": "q",
    "k_proj_weight": "k",
    "v_proj_weight": "v",
}
"""Parameter that becomes an operand to the part of its module's work that it is for."""


def replacements():
    """Exact class to the class that takes its place; subclasses with forwards of their own stay."""
    classes = {
        nn.Linear: OffloadedLinear,
        NonDynamicallyQuantizableLinear: OffloadedLinear,
        nn.MultiheadAttention: OffloadedMultiheadAttention,
    }
    if "transformers.pytorch_utils" in sys.modules:
        from .huggingface import Conv1D, OffloadedConv1D

        classes[Conv1D] = OffloadedConv1D
    return classes


KEPT = {
    nn.modules.conv._ConvNd: "a convolution",
    nn.RNNBase: "a recurrence",
    nn.RNNCellBase: "a recurrence",
    nn.Bilinear: "a bilinear form",
    nn.Linear: "a subclass with a forward of its own",
    nn.MultiheadAttention: "a subclass with a forward of its own",
}
"""Kinds of modules that multiply matrices and are not replaced, to why."""


def unreplaced(module):
    """Why a module multiplies matrices on the host; None if it does not, or is replaced."""
    classes = replacements()
    if type(module) in classes or type(module) in classes.values():
        return None
    # their packed parameters are modules, too, but of no float ones
    source = type(module).__module__ if hasattr(module, "from_float") else ""
    if source.startswith(("torch.ao.nn.quantized", "torch.ao.nn.intrinsic.quantized")):
        return "quantized by torch.ao: convert the float model"
    return next((why for kind, why in KEPT.items() if isinstance(module, kind)), None)


def check_weights(module, name):
    """Check that the parameters of a module can be offloaded.

    Raises
    ------
    TypeError, ValueError
    """
    for parameter_name, parameter in module.named_parameters(prefix=name, recurse=False):
        check_float32(parameter, parameter_name)
        if parameter.numel() == 0:
            raise ValueError(f"{parameter_name} has no elements: its shape is {tuple(parameter.shape)}")
        if int8_weight(parameter, parameter_name) is None and not parameter.detach().isfinite().all():
            raise ValueError(f"{parameter_name} holds NaN or infinity")


def replace(module, cls, *, engine, label, undo):
    """Make a module an offloaded one, its weights in device memory.

    Parameters
    ----------
    module : Module
        Whose weights were checked.
    cls : type
        Of :func:`replacements`.
    engine : Engine
    label : str
        Names its products in the records.
    undo : Undo
        Receives what restores the module.
    """
    site = Site(engine, label)
    for weight_name, part in PARTS.items():
        weight = getattr(module, weight_name, None)
        if weight is not None:
            site.hold(weight, transposed=cls.transposed, part=part)
    undo.callback(module, _restore, type(module))
    module._systolith = site
    module.__class__ = cls


def _restore(module, cls):
    module.__class__ = cls
    del module._systolith


def disable_fast_path(module, undo):
    """Keep nn.TransformerEncoder from fused kernels that read the weights past their modules."""
    if isinstance(module, nn.TransformerEncoderLayer):
        switch = "activation_relu_or_gelu"
    elif isinstance(module, nn.TransformerEncoder):
        switch = "use_nested_tensor"
    else:
        return
    undo.callback(module, setattr, switch, getattr(module, switch))
    setattr(module, switch, False)
