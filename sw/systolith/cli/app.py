"""The command line: its commands, and what every one of them does about errors."""

import contextlib
import errno
import importlib.metadata
import io
import json
import os
import sys
from typing import Annotated

import typer
from typer.core import TyperGroup

from systolith.errors import DeviceError, UnknownTarget

from .arguments import asks_for_json
from .bench import bench
from .build import boards, build, program
from .doctor import doctor
from .eval import evaluate
from .export import export
from .gemm import gemm
from .output import printable
from .run import run
from .selftest import selftest_command
from .simboard import simboard
from .verify import verify
from .verify_cycles import cycles
from .wrong import describe

__all__ = ["app", "main"]

FAILURE, BAD_INPUT, INTERRUPTED = 1, 2, 130

OUTPUT_ERRORS = (errno.EPIPE, errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EFBIG)
"""What writing to stdout can end with; a reader that has gone is not told about."""


class CommandGroup(TyperGroup):
    """Reports errors as one line on stderr and, with ``--json``, as an object with ``"error"`` on stdout.

    The exit code is 0 if all checks held, 1 if one did not, a device failed or stdout cannot be written,
    2 for bad input, 130 after Ctrl-C. A character that stdout's encoding does not have is written as ``?``.
    """

    def main(self, args=None, prog_name=None, **extra):
        """Run the command line and exit."""
        args = list(sys.argv[1:] if args is None else args) or ["--help"]
        extra["standalone_mode"] = False
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="replace")
        try:
            code = self._run(args, prog_name, extra)
            sys.stdout.flush()
        except OSError as error:
            if error.errno not in OUTPUT_ERRORS:
                raise
            _discard_output()
            if error.errno != errno.EPIPE:
                typer.echo(f"systolith: stdout cannot be written: {error.strerror}", err=True)
            code = FAILURE
        sys.exit(code)

    def _run(self, args, prog_name, extra):
        try:
            code = super().main(args, prog_name or "systolith", **extra)
        except typer.TyperException as error:
            code = self._report(args, describe(error), BAD_INPUT)
        except DeviceError as error:
            message = "; ".join([str(error), *getattr(error, "__notes__", [])])
            code = self._report(args, message, BAD_INPUT if isinstance(error, UnknownTarget) else FAILURE)
        if code == INTERRUPTED:
            self._report(args, "interrupted", code)
        return code

    def _report(self, args, message, code):
        message = printable(" ".join(message.split()))
        typer.echo(f"systolith: {message}", err=True)
        if asks_for_json(self, args):
            typer.echo(json.dumps({"error": message}))
        return code


def _discard_output():
    """Keep Python from writing again, as it ends, what could not be written."""
    with contextlib.suppress(io.UnsupportedOperation):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _print_version(wanted):
    if wanted:
        typer.echo(f"systolith {importlib.metadata.version('systolith')}")
        raise typer.Exit


app = typer.Typer(
    cls=CommandGroup,
    help="A systolic matmul accelerator: simulate it and run real models on it.",
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (doctor, run, gemm, export, simboard, boards, build, program):
    app.command()(command)
app.command("eval")(evaluate)
app.command("selftest")(selftest_command)
verify.command()(cycles)
app.add_typer(verify, name="verify")
app.add_typer(bench, name="bench")


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Options of the program itself."""


def main():
    """Entry point of the ``systolith`` program."""
    app()
