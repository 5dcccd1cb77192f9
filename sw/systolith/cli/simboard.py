"""``systolith simboard``: a simulated board at a pseudo-terminal, for the target ``serial``."""

import contextlib
import json
import signal
from pathlib import Path
from typing import Annotated

import typer
from systolith_hw.baud import DEFAULT_BAUD

from .options import SEED_MAX, Array, Json, parse_array
from .output import results

__all__ = ["simboard"]

KIB = 1 << 10


def simboard(
    array: Array = "4x4",
    memory: Annotated[int, typer.Option(min=4, help="Device memory in KiB, a multiple of 4.")] = 64,
    baud: Annotated[int, typer.Option(min=1, help="Bits per second of the serial line.")] = DEFAULT_BAUD,
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
    config = parse_array(array)
    if link is not None and (link.exists() or link.is_symlink() or not link.parent.is_dir()):
        what = "there is something already" if link.parent.is_dir() else "its folder does not exist"
        raise typer.BadParameter(f"{link} cannot be made: {what}", param_hint="--link")
    from systolith.simulated.board import board_setup, serve_board

    try:
        setup = board_setup(config, memory_bytes=memory * KIB, baud=baud)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--memory, --baud") from None

    def ready(port):
        if link is not None:
            link.symlink_to(port)
        data = {"port": port, "array": str(config), "memory_bytes": setup.memory_bytes, "baud": baud}
        if as_json:
            typer.echo(json.dumps(data))
        else:
            name = port if link is None else link
            rate = "" if baud == DEFAULT_BAUD else f",{baud}"
            results.print(
                f"a board of array {config} with {memory} KiB of memory: --target serial:{name}{rate}"
            )
            results.print("Ctrl-C ends it")
        results.file.flush()

    # Ended by another program as by hand, so that the link goes.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with contextlib.suppress(KeyboardInterrupt):
            serve_board(
                setup,
                error_rate=error_rate,
                seed=seed,
                ready=ready,
                progress=lambda line: typer.echo(f"{line} …", err=True),
            )
    finally:
        if link is not None and link.is_symlink():
            link.unlink()
