"""Tables of what was measured, from the file that ``systolith bench all`` keeps."""

import json
import pathlib
from collections.abc import Callable
from typing import Any

from .markdown import table

__all__ = ["FIGURES", "TABLES"]

FIGURES = pathlib.Path(__file__).parents[1] / "ratios.json"

_COUNTERS = {
    "compute": "computing",
    "wait_a": "wait for A",
    "wait_b": "wait for B",
    "wait_output": "wait for output",
}


def _kept(bench: str) -> dict[str, Any]:
    record: dict[str, dict[str, Any]] = json.loads(FIGURES.read_text(encoding="utf-8"))
    kept: dict[str, Any] = record[bench]["tables"]
    return kept


def _size(array: str) -> str:
    return array.partition("-")[0].replace("x", "×")


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _round(value: float) -> str:
    """Three digits, thousands separated."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value >= 1e-3 else f"{value:.6f}"


def _mark(passed: bool) -> str:
    return "✓" if passed else "✗"


def _roofline() -> str:
    rows = [
        (
            _size(group["array"]),
            group["kind"],
            group["cases"],
            f"{group['median_ratio']:.3f}",
            f"{group['worst_ratio']:.3f}",
            f"{group['floor']:.2f} {_mark(not group['missed'])}",
            _percent(group["median_utilization"]),
            _percent(group["least_utilization"]),
        )
        for group in _kept("gemm")["groups"]
    ]
    header = ["array", "kind", "cases", "typical ÷ roofline", "worst ÷ roofline", "at most"]
    return table([*header, "PEs busy, typical", "PEs busy, least"], rows)


def _roofline_shares() -> str:
    rows = []
    for group in _kept("gemm")["groups"]:
        shares = group["shares"]
        named = [_percent(shares[name]) for name in _COUNTERS]
        rows.append(
            (
                *(_size(group["array"]), group["kind"], group["worst_case"], *named),
                _percent(shares["fill"] + shares["drain"]),
            )
        )
    return table(["array", "kind", "worst case", *_COUNTERS.values(), "fill and drain"], rows)


def _accelerators() -> str:
    rows = []
    for kind, what in (("linear", "linear layers"), ("attention", "attention")):
        groups = [group for group in _kept("gemm")["groups"] if group["kind"] == kind]
        least = min(group["least_utilization"] for group in groups)
        typical = [group["median_utilization"] for group in groups]
        busy = f"{_percent(min(typical))} to {_percent(max(typical))} typically, {_percent(least)} at least"
        rows.append((f"systolith, {what}", busy, "`systolith bench gemm`"))
    rows += [(peer["name"], peer["figure"], peer["source"]) for peer in _kept("gemm")["peers"]]
    return table(["accelerator", "PEs busy", "source"], rows)


def _simulators() -> str:
    rows = []
    for row in _kept("sim")["rows"]:
        figures: tuple[str, ...] = ("–",) * 8
        if not row["missing"]:
            build = row["build_seconds"]
            figures = (
                f"{row['cycles']:,}",
                str(row["runs"]),
                _round(row["cycles_per_second"]),
                _round(1 / row["ratio_to_stock"]),
                _round(1 / row["ratio_to_loops"]),
                *(_round(row["cpu_seconds"]), _round(row["wall_seconds"])),
                "–" if build is None else _round(build),
            )
        about = f"`{row['simulation']}`: {row['about']}"
        rows.append((_size(row["array"]), about, row["work"], *figures))
    header = ["array", "simulation", "products", "cycles", "runs", "cycles/s", "`stock` ÷ it"]
    return table([*header, "`loops` ÷ it", "CPU s", "wall s", "build, CPU s"], rows)


def _simulator_floors() -> str:
    rows = [
        (
            _size(floor["array"]),
            floor["work"],
            floor["figure"].replace("_", " "),
            _round(floor["value"]),
            f"{_round(floor['floor'])} {_mark(floor['passed'])}",
        )
        for floor in _kept("sim")["floors"]
    ]
    return table(["array", "products", "figure of `loops`", "measured", "at least"], rows)


def _cycle_model() -> str:
    rows = []
    layers = _kept("cycles")["layers"]
    versions = sorted({layer["scale_sim_version"] for layer in layers if layer["scale_sim_version"]})
    scale_sim = " ".join(("SCALE-Sim", *versions))
    for layer in layers:
        error = layer["scale_sim_error"]
        asked = error is not None
        rows.append(
            (
                *(_size(layer["array"]), layer["tokens"], f"{layer['rtl_cycles']:,}"),
                f"{layer['model_cycles'] - layer['rtl_cycles']:+,}".replace("+0", "0"),
                f"{100 * error:+.1f} %" if asked else "–",
                _round(layer["rtl_seconds"]),
                _round(layer["model_seconds"]),
                _round(layer["scale_sim_seconds"]) if asked else "–",
                f"{_round(layer['speed_ratio'])} {_mark(layer['passed'])}",
            )
        )
    header = ["array", "tokens", "RTL cycles", "cycle model, error", f"{scale_sim}, error", "RTL, CPU s"]
    return table([*header, "cycle model, CPU s", "SCALE-Sim, CPU s", "model ÷ RTL, speed"], rows)


def _layer_products() -> str:
    rows = []
    for layer in _kept("cycles")["layers"]:
        for row in layer["rows"]:
            shape = f"{row['m']}×{row['k']}×{row['n']} {row['b_layout']}"
            shape = f"{row['batch']} × {shape}" if row["batch"] > 1 else shape
            scale_sim: tuple[str, ...] = ("–", "–")
            if row["scale_sim_cycles"] is not None:
                scale_sim = (f"{row['scale_sim_cycles']:,}", f"{100 * row['scale_sim_error']:+.1f} %")
            rows.append(
                (
                    *(_size(layer["array"]), layer["tokens"], row["name"], shape),
                    *(f"{row['rtl_cycles']:,}", f"{row['model_cycles']:,}"),
                    *scale_sim,
                )
            )
    header = ["array", "tokens", "product", "M×K×N", "RTL", "cycle model", "SCALE-Sim", "its error"]
    return table(header, rows)


def _pool() -> str:
    data = _kept("pool")
    rows = [
        (
            data["workers"],
            f"{row['products']} × {row['m']}×{row['k']}×{row['n']}",
            _round(row["one_seconds"]),
            _round(row["pool_seconds"]),
            f"{row['throughput_ratio']:.2f}",
            f"{row['floor']:.2f} {_mark(row['passed'])}",
            *(f"{row['cpu_ratio']:.2f}", f"{row['cycle_ratio']:.2f}"),
        )
        for row in data["rows"]
    ]
    header = ["devices", "products", "one, wall s", "pool, wall s", "throughput ÷ one device's", "at least"]
    return table([*header, "by processor times", "by cycles"], rows)


def _host() -> str:
    data = _kept("run")
    running = data["host_seconds"] + data["device_seconds"]
    row = (
        *(data["model"], _size(data["array"]), f"{sum(data['tokens'])}", f"{data['cycles']:,}"),
        *(_round(data["device_seconds"]), _round(data["host_seconds"])),
        _percent(data["host_seconds"] / running),
    )
    return table(["model", "array", "tokens", "cycles", "device, s", "host, s", "host's share"], [row])


def _machine() -> str:
    rows = []
    for bench in ("sim", "cycles", "pool"):
        host = _kept(bench)["host"]
        threads = ", ".join(f"{name}={value}" for name, value in host["threads"].items() if value)
        facts = (host["processor"], host["processors"], host["python"], threads or "unset")
        rows.append((f"`bench {bench}`", *facts))
    return table(["figures in seconds of", "processor", "processors", "Python", "bounds on threads"], rows)


TABLES: dict[str, Callable[[], str]] = {
    "roofline": _roofline,
    "roofline_shares": _roofline_shares,
    "accelerators": _accelerators,
    "simulators": _simulators,
    "simulator_floors": _simulator_floors,
    "cycle_model": _cycle_model,
    "layer_products": _layer_products,
    "pool": _pool,
    "host": _host,
    "machine": _machine,
}
"""What each marker stands for."""
