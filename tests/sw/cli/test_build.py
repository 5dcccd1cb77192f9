"""systolith boards, build and program."""

import json
import stat

import pytest
from hw.boards.pretended import FMAX, Pretended
from systolith_hw.boards import BOARDS, FLOWS
from systolith_hw.boards.flow import Ecp5Flow
from systolith_hw.boards.tools import Tool, ToolFailedError

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
    assert "seeds 1: 90.00 MHz, 2: 120.00 MHz\n" in plain
    assert str(tmp_path) in plain


def test_build_seed_that_fails(systolith, pretended, monkeypatch, tmp_path):
    """It is told of, though another is kept."""
    place = pretended.place

    def crash(folder, *, seed, **options):
        if seed == 1:
            raise ToolFailedError("nextpnr: crashed, exit code -9", "")
        place(folder, seed=seed, **options)

    monkeypatch.setattr(pretended, "place", crash)
    result = systolith(*BUILD, "--seeds", "2", "--out", tmp_path)
    assert result.code == 0
    assert "systolith: seed 1 was left out: nextpnr: crashed, exit code -9\n" in result.err
    assert "seeds 1: –, 2: 120.00 MHz\n" in result.out
    data = systolith(*BUILD, "--seeds", "2", "--out", tmp_path, "--json").json
    assert (data["seeds"], data["failures"]) == (
        {"1": None, "2": 120.0},
        {"1": "nextpnr: crashed, exit code -9"},
    )


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
        (
            ["--board", "ulx3s-85f-sdram", "--clock", "120"],
            "Invalid value for --clock: the SDRAM's clock must be from 6400000 to 100000000 Hz, not ",
        ),
        (
            ["--board", "ulx3s-25f", "--clock", "3.571428"],
            "Invalid value for --clock: baud must be from 55 to 892857 with a clock of 3571429 Hz, not ",
        ),
        (
            ["--board", "ulx3s-25f", "--clock", "50", "--baud", "20000000"],
            "Invalid value for --baud: baud must be from 763 to 12500000 with a clock of 50000000 Hz, not ",
        ),
        (
            ["--board", "arty-a7", "--clock", "100", "--baud", "1500"],
            "Invalid value for --baud: baud must be from 1526 to 25000000 with a clock of 100000000 Hz, not ",
        ),
    ],
)
def test_build_wrong(fails, tmp_path, arguments, message):
    assert fails("build", *arguments, "--out", tmp_path).startswith(message)


@pytest.mark.parametrize("folder", ["file/out", "/proc", 300 * "x"])
def test_build_unwritable(fails, tmp_path, folder):
    (tmp_path / "file").touch()
    folder = tmp_path / folder
    message = fails("build", "--board", "arty-a7", "--array", "2x2", "--out", folder)
    assert message.startswith(f"Invalid value for --out: {folder} cannot be written: ")


def test_build_without_a_file(fails, pretended, monkeypatch, tmp_path):
    """What is missing elsewhere is not the folder's fault."""
    missing = tmp_path / "cells.v"

    def synthesize(folder, *, board):
        missing.read_text()

    monkeypatch.setattr(pretended, "synthesize", synthesize)
    message = fails(*BUILD, "--out", tmp_path, code=1)
    assert message == f"[Errno 2] No such file or directory: '{missing}'"


def test_build_baud(systolith, pretended, monkeypatch, tmp_path):
    """The design has the rate that is asked for, and the manifest tells of it."""
    designs = []
    synthesize = pretended.synthesize

    def keep(folder, *, board):
        designs.append((folder / "top.il").read_text())
        synthesize(folder, board=board)

    monkeypatch.setattr(pretended, "synthesize", keep)
    for arguments, baud in ([], BOARDS["ulx3s-25f"].baud), (["--baud", "3000000"], 3_000_000):
        data = systolith(*BUILD, "--seeds", "2", "--out", tmp_path, "--json", *arguments).json
        assert (data["baud"], data["manifest"]["baud"]) == (baud, baud)
    usual, fast = designs
    assert fast != usual


def test_build_unfit(fails, pretended, tmp_path):
    message = fails("build", "--board", "ulx3s-25f", "--array", "8x8", "--out", tmp_path, code=1)
    assert message.endswith("it needs 68 DSP, the board has 28; the largest that does is about 4x4")


def test_build_missing_tool(fails, monkeypatch, tmp_path):
    monkeypatch.setattr(Ecp5Flow, "tools", (Tool(program="no-such", distribution="no-such-tool"),))
    message = fails("build", "--board", "ulx3s-25f", "--array", "2x2", "--out", tmp_path, code=1)
    assert message == "no-such-tool is not installed: pip install 'systolith[fpga]'"


def test_build_project(systolith, tmp_path):
    (tmp_path / "notes.txt").touch()
    data = systolith("build", "--board", "arty-a7", "--array", "2x2", "--out", tmp_path, "--json").json
    assert data["bitstream"] is None
    assert {"top.v", "top.xdc", "top.tcl"} <= set(data["files"])
    assert "notes.txt" not in data["files"]


def test_build_project_is_not_placed(fails, tmp_path):
    message = fails("build", "--board", "arty-a7", "--seeds", "3", "--out", tmp_path / "out")
    assert message.endswith("arty-a7 is placed by its vendor's own tool")
    assert not (tmp_path / "out").exists()


def test_build_project_unfit(fails, tmp_path):
    message = fails("build", "--board", "arty-a7", "--array", "16x16", "--out", tmp_path / "out", code=1)
    assert message.endswith("it needs 264 DSP, the board has 90; the largest that does is about 8x8")
    assert not (tmp_path / "out").exists()


def test_program_without_bitstream(fails, tmp_path):
    message = fails("program", "--board", "arty-a7", "--out", tmp_path, code=1)
    assert message.startswith("no bitstream of arty-a7 is made here: ")
    assert "Vivado" in message


def test_program_unreadable(fails, tmp_path):
    file = tmp_path / "file"
    file.touch()
    program = ("program", "--board", "ulx3s-25f", "--out")
    assert fails(*program, file, code=1) == f"{file}/manifest.json cannot be read: Not a directory"
    (tmp_path / "manifest.json").mkdir()
    assert fails(*program, tmp_path, code=1) == f"{tmp_path}/manifest.json cannot be read: Is a directory"


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


def test_what_is_refused_leaves_no_folder(systolith, tmp_path):
    """Unless it was there before."""
    new, old = tmp_path / "new", tmp_path / "old"
    old.mkdir()
    for folder in (new, old):
        result = systolith("build", "--board", "icebreaker", "--array", "64x64", "--out", folder)
        assert result.code == 1
        assert "the board has 8; the largest that does is about 4x4" in result.err
    assert old.exists() and not new.exists()
