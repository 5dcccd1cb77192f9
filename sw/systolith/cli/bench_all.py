"""``systolith bench all``: every benchmark, compared with the figures that are kept."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from systolith.bench.figures import BENCHES
from systolith.bench.record import Status, changes, entry, load_record, save_record
from systolith.errors import DeviceError

from .options import Json
from .output import finish, progress, results, table

__all__ = ["bench_all"]

CALL = "from systolith.cli import main; main()"


def bench_all(
    file: Annotated[
        Path | None,
        typer.Option(
            dir_okay=False,
            writable=True,
            help="Where the figures are kept: compared, then renewed. Without it nothing is kept.",
        ),
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help=f"Only {', '.join(BENCHES)}; may be repeated.")
    ] = None,
    scalesim_python: Annotated[Path | None, typer.Option(metavar="PATH", help="As for bench cycles.")] = None,
    as_json: Json = False,
) -> None:
    """Run every benchmark, keep its figures, and tell what got worse and what misses its floor.

    The exit code is 1 if anything does. Ratios of times may be worse by their noise; what is counted may not.
    Figures of wrong results are not kept.
    """
    names = list(dict.fromkeys(only or BENCHES))
    for name in names:
        if name not in BENCHES:
            raise typer.BadParameter(
                f"must be one of {', '.join(BENCHES)}, not {name!r}", param_hint="--only"
            )
    if file is not None and not file.parent.is_dir():
        raise typer.BadParameter(f"there is no folder {file.parent}", param_hint="--file")
    try:
        record = {} if file is None else load_record(file)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--file") from None
    found = []
    for name in names:
        extra = ("--scalesim-python", str(scalesim_python)) if name == "cycles" and scalesim_python else ()
        start = time.monotonic()
        progress(BENCHES[name].command)
        kept = entry(BENCHES[name], _call((*BENCHES[name].arguments, *extra)))
        typer.echo(f"{name}: {time.monotonic() - start:.0f} s", err=True)
        changed = changes(name, record.get(name), kept)
        found += changed
        # How fast wrong results come is worth nothing.
        if any(change.new is not None and change.new.counts_faults for change in changed):
            typer.echo(f"{name}: wrong results, the figures are not kept", err=True)
            continue
        record[name] = kept
        # Each at once: what was measured is kept if a later one fails.
        if file is not None:
            save_record(file, {key: record[key] for key in BENCHES if key in record})
    data = {
        "passed": all(change.passed for change in found),
        "changes": [_facts(change) for change in found],
    }
    finish(data, as_json=as_json, ok=data["passed"], render=lambda: _render(found))


def _call(arguments):
    """What a command prints with ``--json``, in a process of its own: nothing measured before is in its way.

    Exit code 1 is a check of its own that did not hold, which the figures tell.

    Raises
    ------
    DeviceError
        If it could not measure.
    """
    command = [sys.executable, "-c", CALL, *arguments, "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    try:
        data = json.loads(done.stdout)
    except ValueError:
        data = {"error": f"it ended with exit code {done.returncode}"}
    if "error" in data:
        raise DeviceError(f"systolith {' '.join(arguments)}: {data['error']}")
    return data


def _facts(change):
    figures = {"old": change.old, "new": change.new}
    facts = {"bench": change.bench, "figure": change.name, "status": change.status, "passed": change.passed}
    facts |= {key: None if figure is None else figure.value for key, figure in figures.items()}
    latest = change.new or change.old
    return facts | {"floor": latest.floor, "noise": latest.noise}


def _render(found):
    lines = table("What has changed", "figure", "before", "now", "floor", "change")
    for change in found:
        if change.status is Status.SAME and change.passed:
            continue
        color = "green" if change.passed else "bold red"
        mark = "" if change.new is None or change.new.passed else ", missed"
        latest = change.new or change.old
        lines.add_row(
            f"{change.bench} {change.name}",
            _value(change.old),
            _value(change.new),
            "–" if latest.floor is None else f"{latest.floor:,.6g}",
            f"[{color}]{change.status}{mark}[/]",
        )
    results.print(lines)
    counts = {status: sum(change.status is status for change in found) for status in Status}
    told = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
    missed = sum(change.new is not None and not change.new.passed for change in found)
    results.print(f"{len(found)} figures: {told}; {missed} miss their floor")


def _value(figure):
    return "–" if figure is None else f"{figure.value:,.6g}"
