"""``systolith bench pool``: several simulated devices against one."""

from typing import Annotated

import typer

from systolith.bench.host import host_facts
from systolith.bench.pool import measure_pool

from .options import Json, parse_array
from .output import finish, number, progress, results, table

__all__ = ["bench_pool"]


def bench_pool(
    array: Annotated[str, typer.Option(metavar="RxC", help="The array to measure.")] = "16x16",
    workers: Annotated[int, typer.Option(min=1, max=256, help="Devices of the pool.")] = 2,
    repeats: Annotated[int, typer.Option(min=1, help="Runs of each, in turn; the best counts.")] = 5,
    as_json: Json = False,
) -> None:
    """Throughput of a pool of rtl devices over one device's, and the time of a round trip to a worker.

    Seconds are wall time: a pool needs an idle processor core for each device. The CPU ratio is what the
    throughput ratio would be with such cores. Every result is compared with NumPy's. Floors are told, but
    only a wrong result makes the exit code 1.
    """
    data = {"host": host_facts(), "repeats": repeats} | measure_pool(
        parse_array(array), workers=workers, repeats=repeats, progress=progress
    )
    wrong = sum(row["mismatches"] for row in data["rows"])
    finish(data, as_json=as_json, ok=not wrong, render=lambda: _render(data, wrong))


def _render(data, wrong):
    lines = table(
        f"{data['workers']} devices and one, {data['array']}",
        *("work", "cycles", "makespan", "÷", "one, s", "pool, s", "CPU ratio", "throughput ratio", "floor"),
    )
    for row in data["rows"]:
        color = "green" if row["passed"] else "bold red"
        lines.add_row(
            f"{row['products']} × {row['m']}×{row['k']}×{row['n']}",
            number(row["cycles"]),
            number(row["makespan_cycles"]),
            f"{row['cycle_ratio']:.2f}",
            f"{row['one_seconds']:.3f}",
            f"{row['pool_seconds']:.3f}",
            f"{row['cpu_ratio']:.2f}",
            f"[{color}]{row['throughput_ratio']:.2f}[/]",
            f"{row['floor']:.2f}",
        )
    results.print(lines)
    results.print(f"round trip to a worker: {data['round_trip_ms']:.3f} ms")
    results.print("every result is right" if not wrong else f"[bold red]{wrong} elements are wrong[/]")
    host = data["host"]
    results.print(
        f"{host['processor']}, {host['processors']} processors, Python {host['python']}; "
        f"best of {data['repeats']}"
    )
