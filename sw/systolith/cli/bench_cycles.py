"""``systolith bench cycles``: the cycle model, how fast and how exact."""

from typing import Annotated

import typer

from systolith.bench.cycles import TOKENS, layer_cases, measure_layer
from systolith.bench.host import host_facts
from systolith.targets import MEMORY_LATENCY_CYCLES

from .options import Json, parse_array
from .output import finish, number, progress, results, table

__all__ = ["bench_cycles"]

ARRAYS = ("16x16",)
TOKENS_MAX = 2048
"""With more, the scores soon exceed the device memory."""
SCALE_SIM_REMEDY = (
    "SCALE-Sim was not asked: python3 -m venv FOLDER; FOLDER/bin/pip install scalesim 'numpy<2.4'; "
    "then --scalesim-python FOLDER/bin/python"
)


def bench_cycles(
    array: Annotated[
        list[str] | None,
        typer.Option(metavar="RxC", help="An array to measure; may be repeated. 16x16 unless given."),
    ] = None,
    tokens: Annotated[
        list[int] | None,
        typer.Option(min=1, max=TOKENS_MAX, help="Tokens of the layer; may be repeated. 32 and 128."),
    ] = None,
    repeats: Annotated[int, typer.Option(min=1, help="Runs of each, in turn; the best counts.")] = 5,
    scalesim_python: Annotated[
        str | None,
        typer.Option(metavar="PATH", help="A Python with SCALE-Sim, which needs an older NumPy than ours."),
    ] = None,
    as_json: Json = False,
) -> None:
    """The cycle model against rtl on the products of a MiniLM layer, and SCALE-Sim beside it.

    Seconds are processor time; the exit code is 1 only if a cycle differs.
    """
    lengths = tuple(tokens or TOKENS)
    k = max(case.k for each in lengths for case in layer_cases(each).values())
    configs = dict.fromkeys(parse_array(text, k=k) for text in array or ARRAYS)
    layers = [
        measure_layer(config, each, repeats=repeats, scale_sim_python=scalesim_python, progress=progress)
        for config in configs
        for each in lengths
    ]
    data = {
        "host": host_facts(),
        "latency_cycles": MEMORY_LATENCY_CYCLES,
        "repeats": repeats,
        "scale_sim_remedy": None if scalesim_python else SCALE_SIM_REMEDY,
        "layers": layers,
    }
    ok = not any(layer["mismatches"] for layer in layers)
    finish(data, as_json=as_json, ok=ok, render=lambda: _render(data))


def _render(data):
    for layer in data["layers"]:
        title = f"MiniLM layer, {layer['tokens']} tokens, {layer['array']}"
        lines = table(
            title, "product", "batch × M×K×N", "rtl cycles", "cycle model", "error", "SCALE-Sim", "error"
        )
        for row in layer["rows"]:
            lines.add_row(
                row["name"],
                f"{row['batch']} × {row['m']}×{row['k']}×{row['n']} {row['b_layout']}",
                number(row["rtl_cycles"]),
                number(row["model_cycles"]),
                number(row["error_cycles"]),
                number(row["scale_sim_cycles"]),
                _signed_percent(row["scale_sim_error"]),
            )
        lines.add_section()
        lines.add_row(
            *("together", "", number(layer["rtl_cycles"]), number(layer["model_cycles"])),
            number(layer["model_cycles"] - layer["rtl_cycles"]),
            number(layer["scale_sim_cycles"]),
            _signed_percent(layer["scale_sim_error"]),
        )
        seconds = (layer["rtl_seconds"], layer["model_seconds"], layer["scale_sim_seconds"])
        rtl, model, scale_sim = ("–" if value is None else f"{value:.4g} s" for value in seconds)
        lines.add_row("seconds", "", rtl, model, "", scale_sim, "")
        results.print(lines)
        mark = "[green]✓[/]" if layer["passed"] else "[bold red]✗[/]"
        results.print(
            f"{mark} {layer['mismatches']} of {len(layer['rows'])} products differ; the cycle model is "
            f"{layer['speed_ratio']:,.0f} times as fast as rtl, floor {layer['floor']:,.0f}"
        )
    if data["scale_sim_remedy"]:
        results.print(f"[yellow]{data['scale_sim_remedy']}[/]")


def _signed_percent(value):
    return "–" if value is None else f"{100 * value:+.1f} %"
