"""What of a model runs where: asked of the model itself."""

import inspect

from torch import nn

from .backend import compiled_rows
from .counting import count_host
from .graph import FOREIGN
from .replace import replacements, unreplaced
from .report import DEVICE, HOST, Report, Row

__all__ = ["report"]

ATTENTION = "both products; softmax on the host"
OWN = "called by the module itself, where torch.compile may reach it"
OTHER = "of no module that was converted"


def _attends(module):
    """Whether a module of transformers computes attention through the attention interface."""
    code = getattr(inspect.unwrap(type(module).forward), "__code__", None)
    return code is not None and "ALL_ATTENTION_FUNCTIONS" in code.co_names


def _module_rows(model):
    classes = tuple(replacements().values())
    for name, module in model.named_modules():
        name = name or type(module).__name__
        why = unreplaced(module)
        if isinstance(module, classes):
            attends = isinstance(module, nn.MultiheadAttention)
            why = f"projections and {ATTENTION}" if attends else module._systolith.where
            yield Row(name, type(module).__name__.removeprefix("Offloaded"), DEVICE, why)
        elif why is not None:
            yield Row(name, type(module).__name__, HOST, why)
        elif "_systolith" in module.__dict__ and _attends(module):
            yield Row(name, type(module).__name__, DEVICE, ATTENTION)


def _device(model):
    return next(
        module._systolith.engine.device for module in model.modules() if "_systolith" in module.__dict__
    )


def _device_macs(rows, records):
    """The rows with what the device's records say; a row of its own for a record that belongs to none."""
    macs = dict.fromkeys((row.where for row in rows if row.place == DEVICE), 0)
    others = {}
    for record in records:
        name = record.label
        while name not in macs and "." in name:
            name = name.rpartition(".")[0]
        if name in macs:
            macs[name] += record.macs
        else:
            others[record.label] = others.get(record.label, 0) + record.macs
    known = [row._replace(macs=macs[row.where]) if row.place == DEVICE else row for row in rows]
    return known + [Row(label, "product", DEVICE, OTHER, count) for label, count in others.items()]


def _host_rows(rows, counts):
    """The rows, and one for each operator that was seen to multiply on the host.

    What replaced modules do on the host is part of the quantization.
    """
    replaced = {row.where for row in rows if row.place == DEVICE and row.why not in (ATTENTION, OTHER)}
    known = {row.where: row for row in rows if row.place == HOST}
    seen = []
    for (where, kind), macs in counts.items():
        if where in known:
            seen.append(known.pop(where)._replace(macs=macs))
        elif where not in replaced:
            why = OWN if macs is not None else FOREIGN
            seen.append(Row(where, kind, HOST, why, macs))
    return [row for row in rows if row.place == DEVICE] + list(known.values()) + seen


def report(model, *args, **kwargs):
    """Tell what of a model runs on the device, what on the host, and why.

    Parameters
    ----------
    model : Module
        From :func:`~systolith.torch.offload`; or compiled with ``backend="systolith"``, and called at least
        once since.
    *args, **kwargs
        Inputs with which to call an offloaded model: its multiply-accumulates are then counted, and
        operators that its modules call by themselves are found. What quantizing costs is left out.

    Returns
    -------
    Report

    Raises
    ------
    TypeError
        If ``model`` is not a module, or inputs are given for a compiled one.
    ValueError
        If it is neither offloaded nor compiled, or was not called yet.
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be a torch.nn.Module, not {type(model).__name__}")
    offloaded = any("_systolith" in module.__dict__ for module in model.modules())
    if not offloaded:
        rows = compiled_rows(model)
        if not rows:
            raise ValueError(
                f'this {type(model).__name__} is neither offloaded nor compiled with backend="systolith", '
                "or it was compiled but not called yet"
            )
        if args or kwargs:
            raise TypeError("the report on a compiled model takes no inputs: call the model before")
        return Report(rows)
    rows = list(_module_rows(model))
    if not args and not kwargs:
        return Report(rows)
    device = _device(model)
    start = len(device.trace)
    counts = count_host(model, args, kwargs)
    rows = _device_macs(rows, list(device.trace)[start:])
    return Report(_host_rows(rows, counts))
