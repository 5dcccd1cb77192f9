"""``systolith verify cycles``: the cycle model against the RTL."""

import dataclasses
from typing import Annotated

import typer

from .options import SEED_MAX, Json, parse_array
from .output import finish, number, progress, results, table

__all__ = ["cycles"]

ARRAYS = (
    "2x2",
    "4x4-axi32-a16-b16-acc16-e2-burst8-o2-ds2",
    "8x8",
    "8x2-axi64-a256-b64-acc32-e1-burst32-o4-ds2",
    "2x8-axi128-a64-b64-acc16-e4-burst64-o8-ds8",
    "16x4-axi64-a512-b32-acc64-e4-burst64-o4-ds8",
    "4x16-axi256-a32-b128-acc16-e1-burst128-o32-ds2",
    "8x8-axi32-a128-b64-acc8-e2-burst16-o16-ds2",
    "4x8-axi512-a64-b64-acc64-e8-burst256-o2-ds4",
    "4x4-axi32-a64-b64-acc32-e1-burst16-o4-ds2-lc16",
    "4x4-axi32-a64-b64-acc32-e1-burst16-o4-ds2-lc32-tc4",
    "4x8-axi64-a64-b64-acc32-e2-burst16-o4-ds2-tc2",
)
"""Square, tall and wide; buses of 32 to 512 bits; much and little of everything; a serial lane; tiles."""


def cycles(
    cases: Annotated[int, typer.Option(min=1, help="Random queues, shared out among the arrays.")] = 450,
    seed: Annotated[int, typer.Option(min=0, max=SEED_MAX, help="Of the queues.")] = 0,
    array: Annotated[
        list[str] | None,
        typer.Option(metavar="RxC", help="Compare this array instead; may be repeated."),
    ] = None,
    as_json: Json = False,
) -> None:
    """The cycle model against the RTL: every counter and completion of random queues."""
    from systolith.simulated import verify_cycles

    configs = list(dict.fromkeys(parse_array(text) for text in (array or ARRAYS)))[:cases]
    rows, first = [], None
    for index, config in enumerate(configs):
        share = cases // len(configs) + (index < cases % len(configs))
        charged, mismatches = verify_cycles(config, seed=seed, cases=share, progress=progress)
        rows.append({"array": str(config), "cases": share, "cycles": charged, "mismatches": len(mismatches)})
        if mismatches and first is None:
            first = {"array": str(config), **_facts(mismatches[0])}
        typer.echo(f"{config}: {share} cases, {charged:,} cycles", err=True)
    sums = {key: sum(row[key] for row in rows) for key in ("cases", "cycles", "mismatches")}
    data = {"seed": seed, **sums, "arrays": rows, "first": first}
    finish(data, as_json=as_json, ok=not data["mismatches"], render=lambda: _render(data))


def _facts(comparison):
    """A comparison as plain values."""
    case = comparison.case
    return {
        "timing": str(case.timing),
        "ring_base": case.ring_base,
        "error_cycles": comparison.error_cycles,
        "descriptors": [
            {
                "descriptor": str(descriptor),
                "available": available,
                "model": dataclasses.asdict(model),
                "rtl": dataclasses.asdict(rtl),
            }
            for descriptor, available, model, rtl in zip(
                case.descriptors, case.available, comparison.model, comparison.rtl, strict=True
            )
        ],
    }


def _render(data):
    rows = table("The cycle model and the RTL", "array", "cases", "cycles", "mismatches")
    for row in data["arrays"]:
        rows.add_row(row["array"], *(number(row[key]) for key in list(row)[1:]))
    results.print(rows)
    first = data["first"]
    if first is not None:
        results.print(
            f"First mismatch, {first['array']}, {first['timing']}, ring at {first['ring_base']:#x}:"
        )
        for each in first["descriptors"]:
            results.print(
                f"  from cycle {each['available']}: {each['descriptor']}\n"
                f"    model {each['model']}\n    rtl   {each['rtl']}"
            )
