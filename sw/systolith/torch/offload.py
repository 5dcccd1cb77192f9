"""From a float model to one whose matrix products run on the device."""

import contextlib
import copy
import sys

import torch
from torch import nn
from torch.nn.modules.linear import NonDynamicallyQuantizableLinear

from systolith.device import check_device

from .engine import Engine
from .linear import OffloadedLinear
from .multihead import OffloadedMultiheadAttention
from .quantize import check_float32
from .site import Site

__all__ = ["offload", "repack"]


def _replacements():
    """Exact class to the class that takes its place; subclasses with forwards of their own stay."""
    replacements = {
        nn.Linear: OffloadedLinear,
        NonDynamicallyQuantizableLinear: OffloadedLinear,
        nn.MultiheadAttention: OffloadedMultiheadAttention,
    }
    if "transformers.pytorch_utils" in sys.modules:
        from .huggingface import Conv1D, OffloadedConv1D

        replacements[Conv1D] = OffloadedConv1D
    return replacements


_PARTS = {
    "weight": None,
    "in_proj_weight": "qkv",
    "q_proj_weight": "q",
    "k_proj_weight": "k",
    "v_proj_weight": "v",
}
"""Parameter that becomes an operand to the part of its module's work that it is for."""


def _check(name, module):
    for parameter_name, parameter in module.named_parameters(prefix=name, recurse=False):
        check_float32(parameter, parameter_name)
        if parameter.numel() == 0:
            raise ValueError(f"{parameter_name} has no elements: its shape is {tuple(parameter.shape)}")
        if not parameter.detach().isfinite().all():
            raise ValueError(f"{parameter_name} holds NaN or infinity")


def _disable_fast_paths(model, undo):
    """Keep nn.TransformerEncoder from fused kernels that read the weights past their modules."""
    for module in model.modules():
        if isinstance(module, nn.TransformerEncoderLayer):
            switch = "activation_relu_or_gelu"
        elif isinstance(module, nn.TransformerEncoder):
            switch = "use_nested_tensor"
        else:
            continue
        undo.callback(setattr, module, switch, getattr(module, switch))
        setattr(module, switch, False)


def offload(model, *, device, inplace=False, verifier=None):
    """Convert a model so that its matrix products run on a device, with int8 operands.

    Replaced are every ``nn.Linear``, ``nn.MultiheadAttention`` and transformers ``Conv1D``; the attention
    products of transformers models are reached through their attention interface. Weights are quantized per
    output channel and put into device memory here, tied ones once; activations are quantized per token as
    they come. Everything else stays on the host. Parameters, hooks and the keys and values of
    ``state_dict()`` remain those of the float model.

    Changed weights are packed again when next used: after ``load_state_dict()``, an optimizer's step, an
    operation in place under ``torch.no_grad()``, or an assignment to the parameter or its ``.data``. Torch
    does not tell what is written *into* ``.data``, ``.detach()`` or a NumPy view of a weight, such as
    ``weight.data.mul_(3)``: call :func:`repack` after it.

    Parameters
    ----------
    model : Module
        With float32 parameters on the CPU.
    device : Device
        Open; see :func:`systolith.open_device` and :func:`systolith.open_pool`. It must stay open as long as
        the model is used.
    inplace : bool
        Convert ``model`` itself instead of a copy.
    verifier : Verifier or None
        Compares every product with the golden arithmetic as it runs.

    Returns
    -------
    Module
        The converted model. If an exception is raised, ``model`` is as it was.

    Raises
    ------
    TypeError
        If ``model`` is not a module, ``device`` is not a device, or a weight is not float32.
    ValueError
        If there is nothing to offload, the model is offloaded already, or a weight is not on the CPU, holds
        NaN or infinity, or, converted in place, was made under ``torch.inference_mode()``.
    DeviceError
        If device memory is exhausted.
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be a torch.nn.Module, not {type(model).__name__}")
    check_device(device)
    replacements = _replacements()
    offloaded = tuple(replacements.values())
    replaced = []
    for name, module in model.named_modules():
        name = name or type(module).__name__
        if isinstance(module, offloaded):
            raise ValueError(f"{name} is offloaded already")
        if type(module) in replacements:
            _check(name, module)
            replaced.append(name)
    if not replaced:
        raise ValueError(
            f"{type(model).__name__} has nothing to offload: no "
            + ", ".join(sorted(kind.__name__ for kind in replacements))
        )
    if not inplace:
        with torch.inference_mode(False):
            model = copy.deepcopy(model)
    engine = Engine(device, verifier)
    with contextlib.ExitStack() as undo:
        for name, module in list(model.named_modules()):
            if type(module) in replacements:
                site = Site(engine, name or type(module).__name__)
                for weight_name, part in _PARTS.items():
                    weight = getattr(module, weight_name, None)
                    if weight is not None:
                        site.hold(weight, transposed=replacements[type(module)].transposed, part=part)
                undo.callback(setattr, module, "__class__", type(module))
                undo.callback(module.__dict__.pop, "_systolith")
                module._systolith = site
                module.__class__ = replacements[type(module)]
        _disable_fast_paths(model, undo)
        if "transformers" in sys.modules:
            from .huggingface import hook_attention

            hook_attention(model, engine, undo)
        undo.pop_all()
    return model


def repack(model):
    """Have all weights of an offloaded model quantized and packed again when they are next used.

    Needed only after changes that torch does not tell, such as ``weight.data.mul_(3)``; see
    :func:`offload`.

    Parameters
    ----------
    model : Module
        From :func:`offload`, or a part of one.

    Raises
    ------
    ValueError
        If nothing in it is offloaded.
    """
    sites = [module._systolith for module in model.modules() if "_systolith" in module.__dict__]
    if not sites:
        raise ValueError(f"nothing in this {type(model).__name__} is offloaded")
    for site in sites:
        site.forget()
