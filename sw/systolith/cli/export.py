"""``systolith export``: the design for other people's tools."""

import contextlib
import enum
import stat
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from .options import Array, Json, parse_array
from .output import finish, progress, results

__all__ = ["export"]


class Lowering(enum.StrEnum):
    """How the array is written down."""

    STOCK = "stock"
    LOOPS = "loops"


def export(
    verilog: Annotated[Path, typer.Option(help="File to write.")],
    lowering: Annotated[
        Lowering,
        typer.Option(help="stock: a module per processing element; loops: a loop per row, for Verilator."),
    ] = Lowering.STOCK,
    array: Array = "16x16",
    as_json: Json = False,
) -> None:
    """The design as one Verilog file."""
    config = parse_array(array)
    with _errors_told(verilog):
        if not verilog.parent.is_dir():
            raise typer.BadParameter(f"the folder {verilog.parent} does not exist", param_hint="--verilog")
        if verilog.is_dir():
            raise typer.BadParameter(f"{verilog} is a folder", param_hint="--verilog")
    from systolith.simulated import emit_verilog

    text = emit_verilog(config, lowering=lowering.value, progress=progress)
    with _errors_told(verilog):
        _write(verilog, text)
    data = {
        "file": str(verilog),
        "array": str(config),
        "lowering": lowering.value,
        "bytes": len(text.encode()),
        "lines": text.count("\n"),
    }
    finish(
        data,
        as_json=as_json,
        ok=True,
        render=lambda: results.print(f"{verilog}: {data['lines']:,} lines, array {config}"),
    )


@contextlib.contextmanager
def _errors_told(file):
    try:
        yield
    except OSError as error:
        raise typer.BadParameter(
            f"{file} cannot be written: {error.strerror}", param_hint="--verilog"
        ) from None


def _write(file, text):
    """Write a file whole or not at all; what is there and no regular file, such as a pipe, is written to."""
    try:
        regular = stat.S_ISREG(file.stat().st_mode)
    except FileNotFoundError:
        regular = True
    if not regular:
        file.write_text(text, encoding="utf-8")
        return
    # A link stays, and what it points to is replaced.
    file = file.resolve()
    with tempfile.TemporaryDirectory(dir=file.parent) as scratch:
        part = Path(scratch) / file.name
        part.write_text(text, encoding="utf-8")
        part.replace(file)
