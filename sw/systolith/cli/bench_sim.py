"""``systolith bench sim``: how fast the design simulates."""

import statistics
from typing import Annotated

import numpy as np
import typer

from systolith.device import open_device
from systolith.matmul import matmul

from .options import Json, parse_array
from .output import finish, number, results, table

__all__ = ["bench_sim"]

ARRAYS = ("16x16",)
LOWERINGS = ("loops", "stock")
SHAPE = (64, 256, 256)
"""M, K and N of the product that every simulation runs."""


def bench_sim(
    array: Annotated[
        list[str] | None,
        typer.Option(metavar="RxC", help="An array to measure; may be repeated. 16x16 unless given."),
    ] = None,
    repeats: Annotated[int, typer.Option(min=1, help="Runs of each, in turn; the median counts.")] = 5,
    as_json: Json = False,
) -> None:
    """Cycles per second of both forms of the design on the same product."""
    rows = [row for text in array or ARRAYS for row in _measure(parse_array(text), repeats)]
    data = {"shape": list(SHAPE), "repeats": repeats, "rows": rows}
    finish(data, as_json=as_json, ok=all(not row["mismatches"] for row in rows), render=lambda: _render(data))


def _measure(config, repeats):
    m, k, n = SHAPE
    generator = np.random.default_rng(0)
    a, b = (generator.integers(-128, 128, shape, np.int8) for shape in ((m, k), (k, n)))
    wanted = a.astype(np.int32) @ b.astype(np.int32)
    speeds = {lowering: [] for lowering in LOWERINGS}
    wrong = dict.fromkeys(LOWERINGS, 0)
    cycles = {}
    devices = {}
    try:
        for lowering in LOWERINGS:
            devices[lowering] = open_device(
                "rtl", config, lowering=lowering, progress=lambda line: typer.echo(f"{line} …", err=True)
            )
        for _ in range(repeats):
            for lowering, device in devices.items():
                with device.tracing() as trace:
                    wrong[lowering] += int((matmul(a, b, device=device) != wanted).sum())
                cycles[lowering] = trace.cycles
                speeds[lowering].append(trace.cycles / trace.seconds)
    finally:
        for device in devices.values():
            device.close()
    medians = {lowering: statistics.median(values) for lowering, values in speeds.items()}
    return [
        {
            "array": str(config),
            "simulation": lowering,
            "cycles": cycles[lowering],
            "cycles_per_second": medians[lowering],
            "ratio_to_stock": medians[lowering] / medians["stock"],
            "mismatches": wrong[lowering],
        }
        for lowering in LOWERINGS
    ]


def _render(data):
    lines = table("Simulation speed", "array", "simulation", "cycles", "cycles/s", "× stock")
    for row in data["rows"]:
        lines.add_row(
            row["array"],
            row["simulation"],
            number(row["cycles"]),
            f"{row['cycles_per_second']:,.0f}",
            f"{row['ratio_to_stock']:.2f}",
        )
    results.print(lines)
