"""Finding and running the tools."""

import dataclasses
import importlib.metadata
import os
import shutil
import subprocess
import sys
from pathlib import Path

__all__ = ["FlowError", "MissingToolError", "Tool", "ToolFailedError", "kill_tools"]

_BECOME = """
import ctypes, os, signal, sys
PR_SET_PDEATHSIG = 1
ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
os.execv(sys.argv[1], sys.argv[1:])
"""
"""Becomes the program that is named, to be killed when its parent dies; the tools start none of their own."""


_running: dict[subprocess.Popen, Path] = {}
"""Every process that runs now, and its folder."""


class FlowError(Exception):
    """A bitstream cannot be made."""


class MissingToolError(FlowError):
    """A tool is not installed."""


class ToolFailedError(FlowError):
    """A tool refused its input.

    Parameters
    ----------
    message : str
    log : str
        What the tool said.
    """

    def __init__(self, message, log):
        super().__init__(message)
        self.log = log


@dataclasses.dataclass(frozen=True, kw_only=True)
class Tool:
    """A program that a Python distribution brings.

    Parameters
    ----------
    program : str
    distribution : str
    """

    program: str
    distribution: str

    @property
    def version(self):
        """Of the distribution.

        Raises
        ------
        MissingToolError
            If it is not installed.
        """
        try:
            return importlib.metadata.version(self.distribution)
        except importlib.metadata.PackageNotFoundError:
            raise self._missing() from None

    def find(self):
        """The program's file.

        Raises
        ------
        MissingToolError
            If there is none.
        """
        folders = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
        found = shutil.which(self.program, path=folders)
        if found is None:
            raise self._missing()
        return found

    def run(self, *arguments, folder, log):
        """Run the program. It ends with this process, however that ends.

        Parameters
        ----------
        *arguments : str
            Files are named relative to the folder.
        folder : Path
        log : str
            File there for what it says.

        Returns
        -------
        str
            What it said.

        Raises
        ------
        MissingToolError
            If it is not installed.
        ToolFailedError
            If it ends with an error.
        """
        command = [sys.executable, "-c", _BECOME, self.find(), *arguments]
        with (folder / log).open("wb") as said:
            process = subprocess.Popen(
                command, cwd=folder, stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT
            )
            _running[process] = folder
            try:
                code = process.wait()
            finally:
                process.kill()
                process.wait()
                del _running[process]
        text = (folder / log).read_text(encoding="utf-8", errors="replace")
        if code != 0:
            raise ToolFailedError(f"{self.program}: {_reason(code, text.splitlines())}", text)
        return text

    def _missing(self):
        return MissingToolError(f"{self.distribution} is not installed: pip install 'systolith[fpga]'")


def kill_tools(folder):
    """Kill what runs in a folder: a thread that waits for it cannot be interrupted.

    Parameters
    ----------
    folder : Path
    """
    for process, place in list(_running.items()):
        if place == folder:
            process.kill()


def _reason(code, lines):
    """Why a tool ended with an error: its last, or the last that it said."""
    errors = [line for line in lines if "ERROR" in line]
    if errors:
        return errors[-1].removeprefix("ERROR: ")
    return ": ".join([f"crashed, exit code {code}", *[line for line in lines if line.strip()][-1:]])
