"""systolith boards, build and program."""

import json
import stat

import pytest
from hw.boards.pretended import FMAX, Pretended
from systolith_hw.boards import BOARDS, FLOWS
from systolith_hw.boards.flow import Ecp5Flow
from systolith_hw.boards.tools import Tool

BUILD = ("build", "--board", "ulx3s-25f", "--array", "2x2", "--clock", "100")


@pytest.fixture
def pretended(monkeypatch):
    flow = Pretended(FMAX)
    monkeypatch.setitem(FLOWS, "ecp5", flow)
    return flow


def test_boards(systolith):
    boards = systolith("boards", "--json").json["boards"]
    assert [board["board"] for board in boards] == list(BOARDS)
    assert all({"part", "clock_mhz", "memory_bytes", "array", "link"} <= set(board) for board in boards)
    plain = systolith("boards").out
    assert all(name in plain for name in BOARDS)


def test_build(systolith, pretended, tmp_path):
    result = systolith(*BUILD, "--seeds", "2", "--out", tmp_path, "--json")
    assert result.code == 0
    data = result.json
    assert data["error"] is None
    assert data["timing_met"]
    assert (data["seed"], data["seeds"]) == (2, {"1": 90.0, "2": 120.0})
    assert data["fmax"] == {"clk": {"mhz": 120.0, "wanted_mhz": 100.0}}
    assert data["resources"]["LUT"] == {"used": 7, "available": 100}
    assert data["gmacs_per_s"] == pytest.approx(0.4)
    assert data["manifest"] == json.loads((tmp_path / "manifest.json").read_text())
    assert data["bitstream"] == str(tmp_path / "ulx3s-25f.bit")
    plain = systolith(*BUILD, "--seeds", "2", "--out", tmp_path).out
    assert "0.40 GMAC/s at 100 MHz" in plain
    assert str(tmp_path) in plain


def test_build_too_slow(systolith, pretended, tmp_path):
    """No bitstream and exit code 1, with everything that is known; unless it is allowed."""
    result = systolith(*BUILD, "--out", tmp_path, "--json")
    assert result.code == 1
    assert not result.json["timing_met"]
    assert result.json["bitstream"] is None
    assert "reaches 90.00 MHz, but its clock is 100.00 MHz" in result.json["error"]
    assert result.json["error"] in result.err
    assert not (tmp_path / "ulx3s-25f.bit").exists()
    allowed = systolith(*BUILD, "--out", tmp_path, "--allow-timing-failure")
    assert allowed.code == 0
    assert "WARNING: ulx3s-25f is TOO SLOW for its clock of 100 MHz" in allowed.err
    assert (tmp_path / "ulx3s-25f.bit").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--board", "ulx4"], "Invalid value for --board: unknown board 'ulx4'; known are ulx3s-85f, "),
        (
            ["--board", "ulx3s-85f", "--array", "9x9"],
            "Invalid value for --array: rows must be a power of two",
        ),
        (
            ["--board", "icebreaker", "--clock", "31"],
            "Invalid value for --clock: a clock of 31 MHz cannot be made by the PLL; nearest are 30.75 and ",
        ),
    ],
)
def test_build_wrong(fails, tmp_path, arguments, message):
    assert fails("build", *arguments, "--out", tmp_path).startswith(message)


def test_build_unfit(fails, pretended, tmp_path):
    message = fails("build", "--board", "ulx3s-25f", "--array", "8x8", "--out", tmp_path, code=1)
    assert message.endswith("it needs 64 DSP, the board has 28; the largest that does is about 4x4")


def test_build_missing_tool(fails, monkeypatch, tmp_path):
    monkeypatch.setattr(Ecp5Flow, "tools", (Tool(program="no-such", distribution="no-such-tool"),))
    message = fails("build", "--board", "ulx3s-25f", "--array", "2x2", "--out", tmp_path, code=1)
    assert message == "no-such-tool is not installed: pip install 'systolith[fpga]'"


def test_build_project(systolith, tmp_path):
    data = systolith("build", "--board", "arty-a7", "--array", "2x2", "--out", tmp_path, "--json").json
    assert data["bitstream"] is None
    assert {"top.v", "top.xdc", "top.tcl"} <= set(data["files"])


def test_program(systolith, fails, pretended, monkeypatch, tmp_path):
    out = tmp_path / "out"
    program = ("program", "--board", "ulx3s-25f", "--out", out)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert "manifest.json does not exist: systolith build --board ulx3s-25f" in fails(*program, code=1)
    systolith(*BUILD, "--seeds", "2", "--out", out)
    assert fails(*program, code=1).startswith("openFPGALoader is not installed: apt install openfpgaloader")
    loader = tmp_path / "bin" / "openFPGALoader"
    loader.parent.mkdir()
    loader.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/called\n')
    loader.chmod(loader.stat().st_mode | stat.S_IXUSR)
    assert systolith(*program, "--json").json["bitstream"] == str(out / "ulx3s-25f.bit")
    assert (tmp_path / "called").read_text() == f"-b ulx3s {out}/ulx3s-25f.bit\n"
    other = fails("program", "--board", "ulx3s-85f", "--out", out, code=1)
    assert other == f"the bitstream in {out} is for ulx3s-25f, not for ulx3s-85f"
    loader.write_text("#!/bin/sh\necho no cable >&2\nexit 1\n")
    assert fails(*program, code=1) == "openFPGALoader: no cable"
    (out / "ulx3s-25f.bit").write_text("other")
    assert "is not the bitstream that its manifest tells of" in fails(*program, code=1)
