"""From a float model to one whose matrix products run on the device."""

import contextlib
import copy
import sys

import torch
from torch import nn

from systolith.opening import check_device

from .engine import Engine
from .replace import check_weights, disable_fast_path, replace, replacements, unreplaced
from .scheme import PER_TOKEN

__all__ = ["offload", "repack"]


def offload(model, *, device, inplace=False, verifier=None, scheme=PER_TOKEN):
    """Convert a model so that its matrix products run on a device, with int8 operands.

    Replaced are every ``nn.Linear``, ``nn.MultiheadAttention`` and transformers ``Conv1D``; the attention
    products of transformers models are reached through their attention interface. Weights are quantized per
    output channel and put into device memory here, tied ones once; activations are quantized per token as
    they come, unless ``scheme`` says otherwise. Everything else stays on the host. Parameters, hooks and the
    keys and values of ``state_dict()`` remain those of the float model.

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
    scheme : Scheme
        Which layers quantize activations with a scale that is known beforehand; see :func:`calibrate`. Unless
        given, every token gets a scale of its own.

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
    classes = replacements()
    offloaded = tuple(classes.values())
    replaced = []
    for name, module in model.named_modules():
        name = name or type(module).__name__
        if isinstance(module, offloaded):
            raise ValueError(f"{name} is offloaded already")
        if type(module) in classes:
            check_weights(module, name)
            replaced.append(name)
    if not replaced:
        kinds = ", ".join(sorted(kind.__name__ for kind in classes))
        kept = "".join(
            f"; {name or 'it'} is {why}"
            for name, module in model.named_modules()
            if (why := unreplaced(module)) is not None
        )
        raise ValueError(f"{type(model).__name__} has nothing to offload: no {kinds}{kept}")
    if not inplace:
        with torch.inference_mode(False):
            model = copy.deepcopy(model)
    engine = Engine(device, verifier, scheme)
    with contextlib.ExitStack() as undo:
        for name, module in list(model.named_modules()):
            cls = classes.get(type(module))
            if cls is None:
                disable_fast_path(module, undo)
            else:
                replace(module, cls, engine=engine, label=name or type(module).__name__, undo=undo)
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
