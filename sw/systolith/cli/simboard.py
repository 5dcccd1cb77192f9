"""``systolith simboard``: a simulated board at a pseudo-terminal, for the target ``serial``."""

import contextlib
import json
import os
import signal
from pathlib import Path
from typing import Annotated

import typer

from .options import ARRAY_HELP, SEED_MAX, Json, board_array, parse_array, wrong_option
from .output import progress, results

__all__ = ["simboard"]

KIB = 1 << 10


def simboard(
    board: Annotated[
        str | None,
        typer.Option(help="A board as systolith boards lists them, whose array, memory and clock it has."),
    ] = None,
    array: Annotated[
        str | None, typer.Option(metavar="RxC", help=f"{ARRAY_HELP}. Unless given, the board's, or 4x4.")
    ] = None,
    memory: Annotated[
        int | None,
        typer.Option(
            min=4, max=4096, help="Device memory in KiB, a multiple of 4. Unless given, the board's, or 64."
        ),
    ] = None,
    baud: Annotated[
        int | None,
        typer.Option(min=1, help="Bits per second of the line. Unless given, a quarter of the clock."),
    ] = None,
    netlist: Annotated[
        bool, typer.Option("--netlist", help="Simulate what is synthesized for the board, cell by cell.")
    ] = False,
    error_rate: Annotated[
        float,
        typer.Option(
            min=0.0, max=1.0, help="Probability with which each byte is changed, lost, doubled or delayed."
        ),
    ] = 0.0,
    seed: Annotated[int, typer.Option(min=0, max=SEED_MAX, help="Of the errors.")] = 0,
    link: Annotated[
        Path | None, typer.Option(help="Where to put a symbolic link to the port, gone at the end.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Simulate a board, and offer its serial port until Ctrl-C."""
    if link is not None:
        _check_link(link)
    from systolith.simulated.board import board_setup, serve_board
    from systolith.synthesis import check_board

    if board is not None:
        with wrong_option("--board"):
            check_board(board)
    elif netlist:
        raise typer.BadParameter("it needs the name of a board: --board", param_hint="--netlist")
    config = None
    if array is not None:
        config = parse_array(array) if board is None else board_array(board, array)
    if memory is not None and memory % 4:
        raise typer.BadParameter(f"must be a multiple of 4, not {memory}", param_hint="--memory")
    given = {"memory_bytes": memory and memory * KIB, "baud": baud}
    options = {name: value for name, value in given.items() if value is not None}
    with wrong_option("--baud" if baud is not None else "--netlist" if netlist else "--board"):
        setup = board_setup(board, config=config, netlist=netlist, **options)
    config = setup.config

    made = contextlib.ExitStack()
    is_ready = False

    def ready(port):
        nonlocal is_ready
        is_ready = True
        if link is not None:
            made.enter_context(_linked(link, port))
        data = {
            "port": port,
            "board": board,
            "array": str(config),
            "memory_bytes": setup.memory_bytes,
            "clock_hz": setup.clock_hz,
            "baud": setup.baud,
            "netlist": netlist,
        }
        if as_json:
            typer.echo(json.dumps(data))
        else:
            name = port if link is None else link
            size = setup.memory_bytes // KIB
            results.print(f"{board or 'a board'}, array {config}, {size} KiB: --target serial:{name}")
            results.print("Ctrl-C ends it")
        results.file.flush()

    # Ended by another program as by hand, so that the link goes.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with made:
            serve_board(
                setup,
                error_rate=error_rate,
                seed=seed,
                ready=ready,
                progress=progress,
            )
    except KeyboardInterrupt:
        if not is_ready:
            raise


def _check_link(link):
    """Refuse, before anything takes long, a link that cannot be made."""
    try:
        if not link.parent.is_dir():
            raise _no_link(link, "its folder does not exist")
        if not os.access(link.parent, os.W_OK | os.X_OK):
            raise _no_link(link, "its folder cannot be written")
        if link.exists():
            raise _no_link(link, "there is something already")
    except OSError as error:
        raise _no_link(link, error.strerror) from None


@contextlib.contextmanager
def _linked(link, port):
    """Have a link to a port; at the end it goes, unless it is another's by then."""
    try:
        # What a board that was killed left behind leads nowhere, or to our port, whose name was its own's.
        if link.is_symlink() and (not link.exists() or str(link.readlink()) == port):
            link.unlink()
        link.symlink_to(port)
    except FileExistsError:
        raise _no_link(link, "there is something already") from None
    except OSError as error:
        raise _no_link(link, error.strerror) from None
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            if str(link.readlink()) == port:
                link.unlink()


def _no_link(link, reason):
    return typer.BadParameter(f"{link} cannot be made: {reason}", param_hint="--link")
