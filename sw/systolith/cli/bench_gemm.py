"""``systolith bench gemm``: cycles over the roofline."""

import enum
from typing import Annotated

import typer

from systolith.bench.gemm import QUEUE, run_gemm_case
from systolith.bench.gemm_cases import gemm_cases, longest_k
from systolith.bench.gemm_groups import PEERS, case_name, gemm_groups
from systolith.opening import open_device
from systolith.targets import MEMORY_LATENCY_CYCLES

from .options import SEED_MAX, Json, parse_array
from .output import finish, number, percent, progress, results, table

__all__ = ["bench_gemm"]

ARRAYS = ("8x8", "16x16", "32x32")


class Kind(enum.StrEnum):
    """Kinds of cases."""

    LINEAR = "linear"
    ATTENTION = "attention"
    DECODE = "decode"


def bench_gemm(
    array: Annotated[
        list[str] | None,
        typer.Option(metavar="RxC", help="An array to measure; may be repeated. 8x8, 16x16 and 32x32."),
    ] = None,
    kind: Annotated[list[Kind] | None, typer.Option(help="Only these cases; may be repeated.")] = None,
    seed: Annotated[int, typer.Option(min=0, max=SEED_MAX, help="Of the operands.")] = 0,
    as_json: Json = False,
) -> None:
    """Cycles of queues of eight GEMMs on rtl over the fewest possible, and where the rest went."""
    from systolith.simulated import memory_timing

    kinds = set(kind or Kind)
    configs = dict.fromkeys(parse_array(text, k=longest_k(kinds)) for text in array or ARRAYS)
    timing = memory_timing(latency_cycles=MEMORY_LATENCY_CYCLES, stall_probability=0.0, seed=0)
    rows = []
    for config in configs:
        cases = list(gemm_cases(config, kinds=kinds))
        with open_device("rtl", config, timing=timing, progress=progress) as device:
            for case in cases:
                row = {"array": str(config)} | run_gemm_case(device, case, seed=seed).as_dict()
                rows.append(row)
                progress(f"{config.rows}x{config.columns} {_name(row)}: {row['ratio']:.3f}")
    missed = [row for row in rows if not row["passed"]]
    data = {
        "latency_cycles": MEMORY_LATENCY_CYCLES,
        "queue": QUEUE,
        "seed": seed,
        "cases": len(rows),
        "missed": len(missed),
        "worst": {
            name: max((row["ratio"] for row in rows if row["kind"] == name), default=None) for name in Kind
        },
        "groups": gemm_groups(rows),
        "peers": PEERS,
        "rows": rows,
    }
    finish(data, as_json=as_json, ok=bool(rows) and not missed, render=lambda: _render(data))


def _name(row):
    return f"{row['kind']} {case_name(row)}"


def _render(data):
    for array in dict.fromkeys(row["array"] for row in data["rows"]):
        rows = [row for row in data["rows"] if row["array"] == array]
        counters = list(rows[0]["counters"])
        lines = table(
            f"Queues of eight on {array}", "case", "cycles", "roofline", "ratio", "floor", *counters
        )
        for row in rows:
            color = "green" if row["passed"] else "bold red"
            lines.add_row(
                _name(row),
                number(row["cycles"]),
                number(row["roofline_cycles"]),
                f"[{color}]{row['ratio']:.3f}[/]",
                f"{row['floor']:.2f}",
                *(number(value) for value in row["counters"].values()),
            )
        results.print(lines)
    groups = table(
        "By array and kind", "array", "kind", "cases", "median", "worst", "floor", "utilization", "worst case"
    )
    for group in data["groups"]:
        least, median = group["least_utilization"], group["median_utilization"]
        groups.add_row(
            group["array"].partition("-")[0],
            group["kind"],
            number(group["cases"]),
            f"{group['median_ratio']:.3f}",
            f"{group['worst_ratio']:.3f}",
            f"{group['floor']:.2f}",
            f"{percent(median)}, least {percent(least)}",
            group["worst_case"],
        )
    results.print(groups)
    for peer in data["peers"]:
        results.print(f"{peer['name']}: {peer['figure']} ({peer['source']})")
    wrong = sum(row["mismatches"] for row in data["rows"])
    results.print("every result is right" if not wrong else f"[bold red]{wrong} elements are wrong[/]")
    results.print(f"{data['missed']} of {data['cases']} cases miss their floor")
