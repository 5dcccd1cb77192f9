"""The emitted Verilog in Icarus Verilog, a second opinion on its meaning."""

import re
import shutil
import subprocess

import pytest

NAMES = ["4x4-narrow", "2x8-wide"]


@pytest.fixture
def iverilog():
    program = shutil.which("iverilog")
    if program is None:
        pytest.skip("Icarus Verilog is not installed: iverilog is not on PATH")
    return program


@pytest.mark.parametrize("name", NAMES)
def test_compile(iverilog, emit, tmp_path, name):
    """Without an error or a warning."""
    command = [
        iverilog,
        "-g2012",
        "-Wall",
        "-s",
        "systolith",
        "-o",
        str(tmp_path / "sim.vvp"),
        str(emit(name)),
    ]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("name", "standard"),
    [
        ("4x4-narrow", "2005"),
        pytest.param("4x4-narrow", "2012", marks=pytest.mark.long),
        pytest.param("2x8-wide", "2005", marks=pytest.mark.long),
        pytest.param("2x8-wide", "2012", marks=pytest.mark.long),
    ],
)
def test_sim_gemm(iverilog, simulate, name, standard):
    """The same bits as the reference, in as many cycles as in Verilator."""
    icarus = simulate(f"icarus-{standard}", name, "check_gemms", "one_small_gemm")
    verilator = simulate("verilator", name, "check_gemms", "one_small_gemm")
    assert find_counters(icarus) == find_counters(verilator)


def find_counters(log):
    return re.search(r"took (Counters\(.*\))", log)[1]
