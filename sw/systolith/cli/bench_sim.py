"""``systolith bench sim``: how fast the design simulates, in ours and in other simulations."""

import enum
from typing import Annotated

import rich.markup
import typer

from systolith.bench import sim
from systolith.bench.host import host_facts
from systolith.bench.sim import measure_simulations, simulation_floors
from systolith.targets import MEMORY_LATENCY_CYCLES

from .options import Json, parse_array
from .output import finish, number, progress, results, table

__all__ = ["bench_sim"]

ARRAYS = ("16x16",)


class Simulation(enum.StrEnum):
    """Simulations beside ours."""

    COCOTB = "cocotb"
    PYVERILATOR = "pyverilator"
    AMARANTH = "amaranth"
    NONE = "none"


def bench_sim(
    array: Annotated[
        list[str] | None,
        typer.Option(
            metavar="RxC",
            help="An array to measure; may be repeated. 16x16 unless given: the stock form of 32x32 takes "
            "minutes to build.",
        ),
    ] = None,
    simulation: Annotated[
        list[Simulation] | None,
        typer.Option(help="Another simulation to measure beside loops and stock; may be repeated. All."),
    ] = None,
    repeats: Annotated[
        int, typer.Option(min=1, help="Runs of each, fewer of slow ones; the best counts.")
    ] = 5,
    as_json: Json = False,
) -> None:
    """Cycles per second of the whole accelerator: ours, cocotb, pyverilator, Amaranth's simulator.

    Every result is compared with NumPy's. Seconds are processor time, from the first register access to the
    interrupt. Floors are told, but only a wrong result makes the exit code 1.
    """
    rows, floors = [], []
    for config in dict.fromkeys(parse_array(text, k=sim.LONG.k) for text in array or ARRAYS):
        measured = measure_simulations(config, names=simulation, repeats=repeats, progress=progress)
        rows += measured
        floors += [{"array": str(config)} | floor for floor in simulation_floors(config, measured)]
    data = {
        "host": host_facts(),
        "latency_cycles": MEMORY_LATENCY_CYCLES,
        "repeats": repeats,
        "rows": rows,
        "floors": floors,
    }
    finish(data, as_json=as_json, ok=not any(row["mismatches"] for row in rows), render=lambda: _render(data))


def _render(data):
    for array in dict.fromkeys(row["array"] for row in data["rows"]):
        lines = table(
            f"Simulation speed of {array}",
            *("simulation", "products", "cycles", "runs", "cycles/s", "× stock", "× loops", "CPU s"),
            *("wall s", "build CPU s", "wrong"),
        )
        for row in data["rows"]:
            if row["array"] == array and not row["missing"]:
                lines.add_row(*_cells(row))
        results.print(lines)
    for row in data["rows"]:
        if row["missing"]:
            results.print(f"[yellow]{rich.markup.escape(row['missing'])}[/]")
    for floor in data["floors"]:
        mark = "[green]✓[/]" if floor["passed"] else "[bold red]✗[/]"
        figure = floor["figure"].replace("_", " ")
        results.print(f"{mark} loops, {figure}: {floor['value']:,.2f}, floor {floor['floor']:,.0f}")
    host = data["host"]
    threads = ", ".join(f"{name}={value or 'unset'}" for name, value in host["threads"].items())
    results.print(f"{host['processor']}, {host['processors']} processors, Python {host['python']}")
    results.print(f"{threads}; best of each's runs, memory latency {data['latency_cycles']}")


def _cells(row):
    build = row["build_seconds"]
    wrong = row["mismatches"]
    return (
        row["simulation"],
        row["work"],
        number(row["cycles"]),
        number(row["runs"]),
        f"{row['cycles_per_second']:,.0f}",
        f"{row['ratio_to_stock']:.3g}",
        f"{row['ratio_to_loops']:.3g}",
        f"{row['cpu_seconds']:.4f}",
        f"{row['wall_seconds']:.4f}",
        "–" if build is None else f"{build:.1f}",
        f"[bold red]{wrong:,}[/]" if wrong else "0",
    )
