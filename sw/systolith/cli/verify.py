"""``systolith verify``: randomised checks that anyone can rerun with a seed."""

from typing import Annotated

import typer

from .options import SEED_MAX, Json, parse_array
from .output import finish, number, progress, results, table

__all__ = ["verify"]

LOWERING_ARRAYS = (
    "4x4",
    "2x8",
    "8x4-axi128-a64-b256-acc32-e2-burst32-o8-ds2",
)
"""Compared beside those asked for: square, wide, and tall with little of everything."""

verify = typer.Typer(help="Randomised checks that anyone can rerun with a seed.", no_args_is_help=True)


@verify.callback()
def group() -> None:
    """Randomised checks that anyone can rerun with a seed."""


@verify.command()
def lowering(
    seed: Annotated[
        int, typer.Option(min=0, max=SEED_MAX, help="Of the first case; each case has the next.")
    ] = 0,
    cases: Annotated[int, typer.Option(min=1, help="Cases for each array.")] = 50,
    array: Annotated[
        list[str] | None,
        typer.Option(metavar="RxC", help="An array to compare beside the small ones; may be repeated."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Both forms of the design in lock-step: every output in every cycle."""
    from systolith.simulated import verify_lowering

    configs = dict.fromkeys(parse_array(text) for text in (*LOWERING_ARRAYS, *(array or ())))
    rows, first = [], None
    for config in configs:
        result = verify_lowering(
            config,
            seeds=range(seed, seed + cases),
            progress=progress,
        )
        difference = result.difference
        rows.append(
            {
                "array": str(config),
                "cases": result.cases,
                "cycles": result.cycles,
                "descriptors": result.descriptors,
                "mismatches": int(difference is not None),
            }
        )
        if difference is not None and first is None:
            loops, stock = difference.values
            first = {
                "array": str(config),
                "seed": result.seed,
                "cycle": difference.cycle,
                "signal": difference.signal,
                "loops": loops,
                "stock": stock,
            }
        typer.echo(f"{config}: {result.cases} cases, {result.cycles:,} cycles", err=True)
    sums = {key: sum(row[key] for row in rows) for key in ("cases", "cycles", "descriptors", "mismatches")}
    data = {"seed": seed, **sums, "arrays": rows, "first": first}
    finish(data, as_json=as_json, ok=not data["mismatches"], render=lambda: _render(data))


def _render(data):
    rows = table("Both lowerings in lock-step", "array", "cases", "cycles", "descriptors", "mismatches")
    for row in data["arrays"]:
        rows.add_row(row["array"], *(number(row[key]) for key in list(row)[1:]))
    results.print(rows)
    first = data["first"]
    if first is None:
        results.print("[green]every output is equal in every cycle[/]")
    else:
        results.print(
            f"[bold red]{first['signal']} differs[/] in cycle {first['cycle']}: loops {first['loops']:#x}, "
            f"stock {first['stock']:#x}; array {first['array']}, seed {first['seed']}"
        )
