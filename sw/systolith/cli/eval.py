"""``systolith eval``: how close a model stays to float32, and what it costs."""

import enum
import time
from pathlib import Path
from typing import Annotated

import typer

from systolith.text import check_text
from systolith.texts import load_text
from systolith.traffic import traffic

from .gemm_table import gemm_facts
from .models import TITLES, Model, load_model, weight_facts
from .options import (
    SEED_MAX,
    Devices,
    Json,
    MemoryLatency,
    MemoryStall,
    Target,
    TargetArray,
    check_options,
    device_facts,
    memory_facts,
    open_target,
)
from .output import cycle_origin, cycles_by_device, finish, number, progress, results

__all__ = ["evaluate"]

TEXT = "pride_and_prejudice"
CALIBRATION_TEXT = "gettysburg_address"


class SchemeName(enum.StrEnum):
    """How activations are quantized."""

    DYNAMIC = "w8a8"
    FALLBACK = "w8a8-static"
    STATIC = "w8a8-static-all"


SCHEMES = {
    SchemeName.DYNAMIC: "a scale for every token, as it comes",
    SchemeName.FALLBACK: "one scale per layer, from a calibration text, but per token where that costs much",
    SchemeName.STATIC: "one scale per layer, whatever it costs",
}


def evaluate(
    model: Annotated[
        Model,
        typer.Argument(help="; ".join(f"{model}: {title}" for model, title in TITLES.items()) + "."),
    ],
    scheme: Annotated[
        SchemeName, typer.Option(help="; ".join(f"{name}: {about}" for name, about in SCHEMES.items()) + ".")
    ] = SchemeName.DYNAMIC,
    text: Annotated[
        Path | None,
        typer.Option(
            exists=True, dir_okay=False, help="A UTF-8 text; unless given, the begin of Pride and Prejudice."
        ),
    ] = None,
    calibration: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="What scales are found with, another UTF-8 text; unless given, the Gettysburg Address.",
        ),
    ] = None,
    window: Annotated[
        int, typer.Option(min=2, max=8192, help="smollm2: tokens of the text that it sees at a time.")
    ] = 512,
    tokens: Annotated[
        int | None, typer.Option(min=2, help="smollm2: so many of the text's tokens; all unless given.")
    ] = None,
    target: Target = "model",
    array: TargetArray = None,
    devices: Devices = 1,
    mem_latency: MemoryLatency = None,
    mem_stall: MemoryStall = None,
    seed: Annotated[int, typer.Option(min=0, max=SEED_MAX, help="Of the stalls.")] = 0,
    as_json: Json = False,
) -> None:
    """How close a model stays to float32 on a text, and what it costs in cycles and bytes."""
    content = _read(text, TEXT, "--text")
    calibration_content = None
    if scheme is not SchemeName.DYNAMIC:
        calibration_content = _read(calibration, CALIBRATION_TEXT, "--calibration")
        if calibration_content.split() == content.split():
            raise typer.BadParameter("must not be the text that is evaluated", param_hint="--calibration")
    elif calibration is not None:
        raise typer.BadParameter(f"the scheme {scheme} needs no text", param_hint="--calibration")
    check_options(target, array, memory_latency=mem_latency, memory_stall=mem_stall)
    loaded = load_model(model)
    from .eval_models import PREPARATIONS

    try:
        subject, calibration_run = PREPARATIONS[model](
            loaded, content, calibration_content, window=window, tokens=tokens
        )
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--text, --calibration") from None
    device = open_target(
        target, array, devices=devices, memory_latency=mem_latency, memory_stall=mem_stall, seed=seed
    )
    with device:
        progress("quantizing and packing the weights")
        offloaded, layers = _offload(subject.module, device, scheme, calibration_run)
        weights = weight_facts(offloaded)
        device.trace.clear()
        start = time.perf_counter()
        score = subject.compare(offloaded, progress)
        seconds = time.perf_counter() - start
        trace = device.trace
    moved = traffic(trace)
    data = {
        "model": loaded.name,
        "scheme": scheme,
        "target": target,
        "array": str(device.config),
        "seed": seed,
        **device_facts(devices, trace),
        **memory_facts(target, memory_latency=mem_latency, memory_stall=mem_stall),
        "text": TEXT if text is None else str(text),
        "calibration": _named(calibration, calibration_content),
        **weights,
        **subject.facts,
        **score,
        **layers,
        "read_bytes": moved.read_bytes,
        "written_bytes": moved.written_bytes,
        **gemm_facts(trace),
        "seconds": seconds,
    }
    finish(data, as_json=as_json, ok=True, render=lambda: _render(data, score))


def _read(path, name, option):
    """The text of a file, or one of our own."""
    try:
        content = load_text(name) if path is None else path.read_text(encoding="utf-8")
        check_text(content, "a text")
    except UnicodeDecodeError as error:
        raise typer.BadParameter(
            f"{path} must be UTF-8 text, but byte {error.start} is not", param_hint=option
        ) from None
    except OSError as error:
        raise typer.BadParameter(f"{path} cannot be read: {error.strerror}", param_hint=option) from None
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from None
    return content


def _named(calibration, content):
    if content is None:
        return None
    return CALIBRATION_TEXT if calibration is None else str(calibration)


def _offload(module, device, scheme, calibration_run):
    """The module on the device, and what the results tell of its layers."""
    from systolith.torch import calibrate, offload
    from systolith.torch.calibration import TOLERANCE

    if scheme is SchemeName.DYNAMIC:
        return offload(module, device=device), {"static_layers": 0, "per_token_layers": None}
    progress("calibrating")
    calibration = calibrate(module, calibration_run, device=device)
    chosen = calibration.scheme(tolerance=TOLERANCE if scheme is SchemeName.FALLBACK else None)
    per_token = sorted(calibration.errors.keys() - chosen.limits.keys())
    return offload(module, device=device, scheme=chosen), {
        "static_layers": len(chosen.limits),
        "per_token_layers": per_token,
    }


def _render(data, score):
    results.print(f"[bold]{data['model']}[/], {data['scheme']}, on target {data['target']}")
    results.print(f"array {data['array']}")
    results.print(f"text {data['text']}" + (f", {data['tokens']:,} tokens" if "tokens" in data else ""))
    if data["static_layers"]:
        results.print(
            f"{data['static_layers']} layers with a scale from {data['calibration']}, per token: "
            f"{', '.join(data['per_token_layers']) or 'none'}"
        )
    results.print()
    for name, value in score.items():
        shown = f"{value:.4f}" if isinstance(value, float) else number(value)
        results.print(f"{name.replace('_', ' ')}: {shown}")
    results.print()
    results.print(
        f"{data['gemms']:,} GEMMs, {data['macs']:,} multiply-accumulates; bytes read {data['read_bytes']:,}, "
        f"written {data['written_bytes']:,}"
    )
    if data["cycles"] is not None:
        ratio = data["cycles"] / data["roofline_cycles"]
        results.print(f"{number(data['makespan_cycles'])} cycles, {ratio:.3f} × roofline")
        if data["devices"] > 1:
            results.print(cycles_by_device(data))
    results.print(cycle_origin(data))
    results.print(f"{data['seconds']:.1f} s")
