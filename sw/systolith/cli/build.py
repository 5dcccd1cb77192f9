"""``systolith boards``, ``build`` and ``program``: from a board's name to a board that runs."""

import contextlib
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from .options import Json, wrong_option
from .output import finish, number, percent, progress, results, table

__all__ = ["boards", "build", "program"]

BoardName = Annotated[
    str, typer.Option("--board", metavar="BOARD", help="A board, as systolith boards lists them.")
]
Out = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Folder for all its files; build/BOARD unless given.")
]

PLACE_SEED_MAX = 2_000_000_000
"""About the largest number that nextpnr takes for a seed."""


def boards(as_json: Json = False) -> None:
    """The boards that bitstreams are made for."""
    from systolith.synthesis import board_facts

    facts = board_facts()
    finish({"boards": facts}, as_json=as_json, ok=True, render=lambda: _render_boards(facts))


def build(
    board: BoardName,
    array: Annotated[
        str | None,
        typer.Option(metavar="RxC", help="Array or whole configuration; what it leaves open is the board's."),
    ] = None,
    clock: Annotated[
        float | None, typer.Option(min=0.1, max=1000, help="Clock in MHz; the board's unless given.")
    ] = None,
    baud: Annotated[
        int | None, typer.Option(min=1, help="Bits per second of the link; the board's unless given.")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, max=64, help="How often to place; the best is kept.")] = 1,
    seed: Annotated[
        int | None, typer.Option(min=0, max=PLACE_SEED_MAX, help="First seed; the board's unless given.")
    ] = None,
    out: Out = None,
    allow_timing_failure: Annotated[
        bool, typer.Option("--allow-timing-failure", help="Make the bitstream even if it is too slow.")
    ] = False,
    as_json: Json = False,
) -> None:
    """A board's bitstream, with what it takes and how fast it may be."""
    from systolith.synthesis import (
        board_facts,
        build_bitstream,
        check_array,
        check_board,
        line_baud,
        made_clock,
        write_project,
    )

    with wrong_option("--board"):
        check_board(board)
    with wrong_option("--array"):
        config = check_array(board, array)
    with wrong_option("--clock"):
        clock_hz = made_clock(board, clock)
    with wrong_option("--clock" if baud is None else "--baud"):
        baud = line_baud(board, baud, clock_hz=clock_hz)
    folder = out or Path("build") / board
    with _made(folder):
        if not next(facts for facts in board_facts() if facts["board"] == board)["bitstream"]:
            if seeds > 1 or seed is not None or allow_timing_failure:
                raise typer.BadParameter(
                    f"{board} is placed by its vendor's own tool",
                    param_hint="--seeds, --seed, --allow-timing-failure",
                )
            data = write_project(board, config, folder, clock_hz=clock_hz, baud=baud)
        else:
            data = build_bitstream(
                board,
                config,
                folder,
                clock_hz=clock_hz,
                baud=baud,
                seeds=seeds,
                first_seed=seed,
                allow_timing_failure=allow_timing_failure,
                progress=progress,
            )
    for failed, reason in data.get("failures", {}).items():
        typer.echo(f"systolith: seed {failed} was left out: {reason}", err=True)
    if data["error"]:
        typer.echo(f"systolith: {data['error']}", err=True)
    elif not data.get("timing_met", True):
        typer.echo(
            f"systolith: WARNING: {board} is TOO SLOW for its clock of {data['clock_mhz']:g} MHz; "
            "results of this bitstream may be wrong",
            err=True,
        )
    finish(data, as_json=as_json, ok=not data["error"], render=lambda: _render_build(data))


def program(board: BoardName, out: Out = None, as_json: Json = False) -> None:
    """Load a board with its bitstream, with openFPGALoader."""
    from systolith.synthesis import check_board, program_board

    with wrong_option("--board"):
        check_board(board)
    data = program_board(board, out or Path("build") / board)
    finish(
        data,
        as_json=as_json,
        ok=True,
        render=lambda: results.print(f"{board} runs {data['bitstream']}, array {data['array']}"),
    )


@contextlib.contextmanager
def _made(folder):
    """A folder that can be written; one that is new is gone again if it stays empty."""
    try:
        was_there = folder.exists()
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise typer.BadParameter(
            f"{folder} cannot be written: {error.strerror}", param_hint="--out"
        ) from None
    try:
        yield
    finally:
        if not was_there:
            with contextlib.suppress(OSError):
                folder.rmdir()


def _render_boards(facts):
    listing = table(None, "board", "part", "clock MHz", "memory KiB", "array", "link")
    for board in facts:
        listing.add_row(
            board["board"],
            board["part"],
            f"{board['clock_mhz']:g}",
            number(board["memory_bytes"] // 1024),
            board["array"].split("-")[0],
            board["link"],
        )
    # On a narrow terminal the names that a command takes stay whole.
    for column in listing.columns[1:]:
        column.no_wrap = False
        column.overflow = "fold"
    for text in (1, 4, 5):
        listing.columns[text].justify = "left"
    results.print(listing)


def _render_build(data):
    if "files" in data:
        results.print(f"{data['board']}, array {data['array']}, runs at {data['clock_mhz']:g} MHz")
        results.print(f"a project in {data['folder']}: {', '.join(data['files'])}")
        results.print("in that folder: vivado -mode batch -source top.tcl")
        return
    results.print(f"{data['board']}, {data['part']}, array {data['array']}")
    listing = table(None, "resource", "used", "of", "")
    for name, facts in data["resources"].items():
        used, available = facts["used"], facts["available"]
        listing.add_row(
            name, number(used), number(available), percent(used / available if available else None)
        )
    results.print(listing)
    for clock, facts in data["fmax"].items():
        name = "clock" if len(data["fmax"]) == 1 else clock
        verb = "runs" if data["timing_met"] else "is to run"
        results.print(f"{name}: up to {facts['mhz']:.2f} MHz, {verb} at {facts['wanted_mhz']:.2f} MHz")
    if data["critical_path"]:
        results.print(f"slowest path, {data['critical_path']['delay_ns']:.2f} ns:")
        for step in data["critical_path"]["steps"]:
            results.print(
                f"  {step['component'] or '–'}: logic {step['logic_ns']:.2f} ns, "
                f"routing {step['routing_ns']:.2f} ns"
            )
    if len(data["seeds"]) > 1:
        reached = [
            f"{seed}: {'–' if mhz is None else f'{mhz:.2f} MHz'}" for seed, mhz in data["seeds"].items()
        ]
        results.print(f"seeds {', '.join(reached)}")
    speed = f"{data['gmacs_per_s']:.2f} GMAC/s at {data['clock_mhz']:g} MHz, " if data["timing_met"] else ""
    results.print(
        f"{speed}{data['luts_per_element']:.0f} LUT per element; seed {data['seed']}, {data['seconds']:.0f} s"
    )
    results.print(data["bitstream"] or "no bitstream")
