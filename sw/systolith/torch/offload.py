"""From a float model to one whose matrix products run on the device."""

import copy
import sys

import torch
from torch import nn

from systolith.opening import check_device

from .engine import Engine
from .replace import check_weights, disable_fast_path, replace, replacements, unreplaced
from .scheme import PER_TOKEN
from .undo import Undo

__all__ = ["convert", "offload", "repack"]


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
    if not inplace:
        with torch.inference_mode(False):
            model = copy.deepcopy(model)
    with Undo() as undo:
        convert(model, engine=Engine(device, verifier, scheme), undo=undo)
    return model


def convert(model, *, engine, undo):
    """Convert a model in place, but for what was converted for the same engine before.

    Parameters
    ----------
    model : Module
    engine : Engine
    undo : Undo
        Receives what restores the model.

    Raises
    ------
    TypeError, ValueError, DeviceError
        As :func:`offload`.
    """
    found = _find(model, engine)
    for module in model.modules():
        disable_fast_path(module, undo)
    for name, module in found:
        replace(module, replacements()[type(module)], engine=engine, label=name, undo=undo)
    if "transformers" in sys.modules:
        from .huggingface import hook_attention

        hook_attention(model, engine, undo)


def _find(model, engine):
    """Name and module of all that is to be replaced, weights checked; see :func:`convert`."""
    classes = replacements()
    found = []
    converted = False
    for name, module in model.named_modules():
        name = name or type(module).__name__
        if isinstance(module, tuple(classes.values())):
            if module._systolith.engine is not engine:
                raise ValueError(f"{name} is offloaded already")
            converted = True
        elif type(module) in classes:
            check_weights(module, name)
            found.append((name, module))
    if not found and not converted:
        kinds = ", ".join(sorted(kind.__name__ for kind in classes))
        kept = "".join(
            f"; {name or 'it'} is {why}"
            for name, module in model.named_modules()
            if (why := unreplaced(module)) is not None
        )
        raise ValueError(f"{type(model).__name__} has nothing to offload: no {kinds}{kept}")
    return found


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
