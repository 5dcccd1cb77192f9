"""Options that several commands share, and what they mean."""

import contextlib
from typing import Annotated

import typer
from systolith_hw import ArrayConfig

from systolith.errors import ConfigurationMismatch
from systolith.opening import open_device
from systolith.pool import open_pool
from systolith.targets import MEMORY_LATENCY_CYCLES, TARGETS, find_target
from systolith.tiling import m_block

from .output import progress

__all__ = [
    "SEED_MAX",
    "Array",
    "Devices",
    "Json",
    "MemoryLatency",
    "MemoryStall",
    "Target",
    "TargetArray",
    "board_array",
    "check_options",
    "device_facts",
    "memory_facts",
    "open_target",
    "parse_array",
    "wrong_option",
]

SEED_MAX = (1 << 56) - 1
"""Largest seed: that of the simulator's stalls."""

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout and nothing else.")]
Target = Annotated[
    str,
    typer.Option(help="; ".join(f"{name}: {target.about}" for name, target in TARGETS.items()) + "."),
]
ARRAY_HELP = "Rows and columns of the array, or a whole configuration such as 16x16-axi64-a1024"
Array = Annotated[str, typer.Option(metavar="RxC", help=f"{ARRAY_HELP}.")]
TargetArray = Annotated[
    str | None,
    typer.Option(
        metavar="RxC", help=f"{ARRAY_HELP}. Unless given, the target's own if it has one, else 16x16."
    ),
]
Devices = Annotated[
    int,
    typer.Option(min=1, max=256, help="Devices that share the work, each simulated by a process of its own."),
]
MemoryLatency = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=1 << 20,
        help="Cycles from a read address to its first data, and for writes; "
        f"{MEMORY_LATENCY_CYCLES} unless given.",
    ),
]
MemoryStall = Annotated[
    float | None,
    typer.Option(
        min=0.0,
        max=0.99,
        help="Probability with which each memory channel stalls in each cycle, from --seed; 0 unless given.",
    ),
]


@contextlib.contextmanager
def wrong_option(name):
    """Have what a value is refused with told of an option.

    Raises
    ------
    typer.BadParameter
    """
    try:
        yield
    except (TypeError, ValueError) as error:
        raise typer.BadParameter(str(error), param_hint=name) from None


def parse_array(text, *, k=1):
    """The configuration of ``--array``.

    Parameters
    ----------
    text : str
    k : int
        A row of so many operands has to fit its buffer of A.

    Returns
    -------
    ArrayConfig

    Raises
    ------
    typer.BadParameter
    """
    with wrong_option("--array"):
        config = ArrayConfig.parse(text)
        m_block(1, k, config)
    return config


def board_array(part, text):
    """The configuration of ``--array`` for a board, which has what it leaves open, or a family of parts.

    Tells on stderr if it does not fit the board.

    Parameters
    ----------
    part, text : str

    Returns
    -------
    ArrayConfig

    Raises
    ------
    typer.BadParameter
    """
    from systolith.synthesis import board_names, check_array, why_unfit

    if part not in board_names():
        return parse_array(text)
    with wrong_option("--array"):
        config = check_array(part, text)
    if reason := why_unfit(part, config):
        typer.echo(f"systolith: there can be no bitstream of it, but it can be simulated: {reason}", err=True)
    return config


def check_options(target, array, *, memory_latency=None, memory_stall=None):
    """The configuration of ``--array``; refuses what :func:`open_target` would, before anything takes long.

    Parameters
    ----------
    target : str
    array : str or None
    memory_latency : int or None
    memory_stall : float or None

    Returns
    -------
    ArrayConfig or None

    Raises
    ------
    UnknownTarget, typer.BadParameter
    """
    found, argument = find_target(target)
    config = None
    if array is not None:
        config = board_array(argument, array) if found is TARGETS["netlist"] else parse_array(array)
    if not found.has_timing and not (memory_latency is None and memory_stall is None):
        raise typer.BadParameter(
            f"the target {target} has no memory timing", param_hint="--mem-latency, --mem-stall"
        )
    if memory_stall and not found.has_stalls:
        raise typer.BadParameter(
            f"the target {target} needs a memory without random stalls", param_hint="--mem-stall"
        )
    return config


def memory_facts(target, *, memory_latency, memory_stall):
    """The memory's timing for the results, so that a run can be repeated; ``None`` where there is none."""
    if not find_target(target)[0].has_timing:
        return {"memory_latency": None, "memory_stall": None}
    return {
        "memory_latency": MEMORY_LATENCY_CYCLES if memory_latency is None else memory_latency,
        "memory_stall": memory_stall or 0.0,
    }


def device_facts(devices, trace):
    """The cycles of each device for the results.

    Parameters
    ----------
    devices : int
    trace : Trace

    Returns
    -------
    dict
        ``device_cycles`` is a list, ``makespan_cycles`` the time until the last device was done; ``None`` on
        a target without cycles.
    """
    by_device = trace.device_cycles
    return {
        "devices": devices,
        "makespan_cycles": trace.makespan_cycles,
        "device_cycles": by_device and [by_device.get(device, 0) for device in range(devices)],
    }


def open_target(target, array, *, devices=1, memory_latency=None, memory_stall=None, seed=0, manifest=None):
    """The device of ``--target``, ``--array``, ``--devices``, ``--manifest`` and the memory options.

    Parameters
    ----------
    target : str
    array : str or None
    devices : int
        More than one are a pool.
    memory_latency : int or None
    memory_stall : float or None
    seed : int
        Of the stalls.
    manifest : Path or None

    Returns
    -------
    Device
    """
    config = check_options(target, array, memory_latency=memory_latency, memory_stall=memory_stall)
    options = {}
    if find_target(target)[0].has_timing:
        options["progress"] = progress
    if memory_latency is not None or memory_stall is not None:
        from systolith.simulated import memory_timing

        options["timing"] = memory_timing(
            latency_cycles=memory_latency, stall_probability=memory_stall or 0.0, seed=seed
        )
    if manifest is not None:
        return _open_bitstream(target, config, manifest)
    if devices > 1:
        try:
            return open_pool(target, config, workers=devices, **options)
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint="--devices") from None
    try:
        return open_device(target, config, **options)
    except ConfigurationMismatch as error:
        if config is not None:
            error.add_note("without --array the device's own is taken")
        raise


def _open_bitstream(target, config, manifest):
    """A board that must run the bitstream of a manifest."""
    if find_target(target)[0] is not TARGETS["serial"]:
        raise typer.BadParameter(f"the target {target} runs no bitstream", param_hint="--manifest")
    try:
        return open_device(target, config, manifest=manifest)
    except OSError as error:
        reason = f"{error.filename} cannot be read: {error.strerror}"
    except ValueError as error:
        reason = str(error)
    raise typer.BadParameter(reason, param_hint="--manifest")
