"""SCALE-Sim: what it is told, and how its answers are read. A stand-in answers in its place."""

import configparser
import sys

import pytest
from systolith_hw import ArrayConfig
from systolith_sim.errors import CompileError, MissingToolError
from systolith_sim.peers.scale_sim import ScaleSimAnswer, run_scale_sim, scale_sim_configuration

CONFIG = ArrayConfig.parse("4x8-a1024-b512-acc128")

STAND_IN = """
import configparser, csv, os
from pathlib import Path

class scalesim:
    def __init__(self, *, config, topology, layout, input_type_gemm, save_disk_space, verbose):
        assert input_type_gemm and save_disk_space and not verbose
        self.config = configparser.ConfigParser()
        self.config.read(config)
        _, self.product = csv.reader(open(topology))
        heading, row = csv.reader(open(layout))
        assert len(heading) == len(row)

    def run_scale(self, top_path):
        print("whatever")
        _, m, n, k, _ = self.product
        rows = self.config.getint("architecture_presets", "ArrayHeight")
        folder = Path(top_path) / self.config.get("general", "run_name")
        folder.mkdir(parents=True)
        report = "LayerID, Total Cycles (incl. prefetch), Total Cycles, Stall Cycles, Other,\\n"
        report += f"0, 1, {int(m) + 1000 * int(k) + 1000000 * int(n) + rows / 2}, 0, 7,\\n"
        (folder / "COMPUTE_REPORT.csv").write_text(report)
"""


@pytest.fixture
def python(tmp_path):
    """An interpreter that finds the stand-in."""

    def make(source=STAND_IN):
        package = tmp_path / "site" / "scalesim"
        package.mkdir(parents=True)
        (package / "__init__.py").touch()
        (package / "scale_sim.py").write_text(source, encoding="utf-8")
        information = tmp_path / "site" / "scalesim-9.8.7.dist-info"
        information.mkdir()
        (information / "METADATA").write_text("Metadata-Version: 2.1\nName: scalesim\nVersion: 9.8.7\n")
        program = tmp_path / "python"
        command = f'PYTHONPATH="{package.parent}" exec "{sys.executable}" "$@"'
        program.write_text(f"#!/bin/sh\n{command}\n", encoding="utf-8")
        program.chmod(0o755)
        return str(program)

    return make


def test_configuration():
    parsed = configparser.ConfigParser()
    parsed.read_string(scale_sim_configuration(CONFIG))
    array = parsed["architecture_presets"]
    assert (array["ArrayHeight"], array["ArrayWidth"], array["Dataflow"]) == ("4", "8", "ws")
    # Lines of 8 bytes; two halves of 128 rows of 8 accumulators of 4 bytes.
    sizes = [array[f"{operand}sramszkB"] for operand in ("ifmap", "filter", "ofmap")]
    assert sizes == ["8", "4", "8"]
    assert parsed["run_presets"]["InterfaceBandwidth"] == "CALC"
    assert not parsed.getboolean("layout", "IfmapCustomLayout")


def test_run(python):
    version, answers = run_scale_sim(python(), CONFIG, [(3, 5, 7), (1, 2, 4)])
    assert version == "9.8.7"
    assert [answer.cycles for answer in answers] == [7_005_005, 4_002_003]
    assert all(isinstance(answer, ScaleSimAnswer) and answer.cpu_seconds > 0 for answer in answers)


def test_run_relative(python, monkeypatch, tmp_path):
    """A path is one from where we are, although SCALE-Sim runs elsewhere."""
    python()
    monkeypatch.chdir(tmp_path)
    assert run_scale_sim("./python", CONFIG, [(3, 5, 7)])[0] == "9.8.7"


def test_run_fails(python):
    with pytest.raises(CompileError, match="no such array"):
        run_scale_sim(python("raise ValueError('no such array')"), CONFIG, [(1, 1, 1)])


def test_run_missing(tmp_path):
    with pytest.raises(MissingToolError, match=r"cannot be started: .*pip install scalesim 'numpy<2\.4'$"):
        run_scale_sim(str(tmp_path / "python"), CONFIG, [(1, 1, 1)])
    with pytest.raises(MissingToolError, match="has no SCALE-Sim: make an environment for it"):
        run_scale_sim(sys.executable, CONFIG, [(1, 1, 1)])
