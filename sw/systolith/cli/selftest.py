"""``systolith selftest``: does a device work, and if not, where does it begin to be wrong."""

from pathlib import Path
from typing import Annotated

import rich.text
import typer

from systolith.errors import ConfigurationMismatch
from systolith.selftest import CHECKS, Effort, Row, Status, selftest
from systolith.selftest.outcome import failed, not_applicable

from .options import SEED_MAX, Json, Target, TargetArray, open_target
from .output import finish, printable, progress, results, table

__all__ = ["selftest_command"]

STYLES = {Status.PASS: "green", Status.FAIL: "bold red", Status.NOT_APPLICABLE: "dim"}


def selftest_command(
    target: Target = "rtl",
    array: TargetArray = None,
    manifest: Annotated[
        Path | None,
        typer.Option(help="Of the bitstream that the board must run: the file, or its folder. Else any."),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Less of everything: a few seconds.")] = False,
    seed: Annotated[int, typer.Option(min=0, max=SEED_MAX, help="Of the operands.")] = 0,
    as_json: Json = False,
) -> None:
    """Check a device: registers, link, clock, memory, every processing element, growing GEMMs, bandwidth."""
    effort = Effort.quick(seed) if quick else Effort.full(seed)
    try:
        device = open_target(target, array, manifest=manifest)
    except ConfigurationMismatch as error:
        first, *others = CHECKS
        rows = [Row(first, failed(str(error)), 0.0)]
        rows += [Row(name, not_applicable("not run: it is another device"), 0.0) for name in others]
    else:
        with device:
            array = str(device.config)
            rows = selftest(device, effort=effort, progress=progress)
    data = {
        "target": target,
        "array": array,
        "quick": quick,
        "seed": seed,
        "passed": all(row.outcome.status is not Status.FAIL for row in rows),
        "seconds": sum(row.seconds for row in rows),
        "checks": [
            {
                "name": row.name,
                "status": row.outcome.status,
                "detail": row.outcome.detail,
                "seconds": row.seconds,
                "figures": row.outcome.figures,
            }
            for row in rows
        ],
    }
    finish(data, as_json=as_json, ok=data["passed"], render=lambda: _render(data))


def _render(data):
    array = data["array"] or "that it has"
    results.print(f"target {printable(data['target'])}, array {array}, seed {data['seed']}")
    rows = table(None, "check", "outcome", "seconds", "detail")
    for column in (1, 3):
        rows.columns[column].justify = "left"
    rows.columns[3].no_wrap = False
    for check in data["checks"]:
        status = f"[{STYLES[check['status']]}]{check['status']}[/]"
        rows.add_row(
            check["name"], status, f"{check['seconds']:.2f}", rich.text.Text(printable(check["detail"]))
        )
    results.print(rows)
    failures = [check["name"] for check in data["checks"] if check["status"] == Status.FAIL]
    if failures:
        results.print(f"[bold red]{len(failures)} failed[/]; the first is where to look: {failures[0]}")
    else:
        results.print(f"[green]the device works[/], {data['seconds']:.1f} s")
