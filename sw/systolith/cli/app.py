"""The command line: its commands, and what every one of them does about errors."""

import json
import sys

import typer
from typer.core import TyperGroup

from systolith.errors import DeviceError, UnknownTarget

from .arguments import asks_for_json
from .bench import bench
from .doctor import doctor
from .export import export
from .gemm import gemm
from .run import run
from .verify import verify

__all__ = ["app", "main"]

FAILURE, BAD_INPUT = 1, 2


class CommandGroup(TyperGroup):
    """Reports errors as one line on stderr and, with ``--json``, as an object with ``"error"`` on stdout.

    The exit code is 0 if all checks held, 1 if one did not or a device failed, 2 for bad input.
    """

    def main(self, args=None, prog_name=None, **extra):
        """Run the command line and exit."""
        args = list(sys.argv[1:] if args is None else args) or ["--help"]
        extra["standalone_mode"] = False
        try:
            code = super().main(args, prog_name or "systolith", **extra)
        except typer.TyperException as error:
            code = self._report(args, error.format_message(), BAD_INPUT)
        except DeviceError as error:
            code = self._report(args, str(error), BAD_INPUT if isinstance(error, UnknownTarget) else FAILURE)
        sys.exit(code)

    def _report(self, args, message, code):
        message = " ".join(message.split())
        typer.echo(f"systolith: {message}", err=True)
        if asks_for_json(self, args):
            typer.echo(json.dumps({"error": message}))
        return code


app = typer.Typer(
    cls=CommandGroup,
    help="A systolic matmul accelerator: simulate it, run real models on it, take it to an FPGA.",
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (doctor, run, gemm, export):
    app.command()(command)
app.add_typer(verify, name="verify")
app.add_typer(bench, name="bench")


def main():
    """Entry point of the ``systolith`` program."""
    app()
