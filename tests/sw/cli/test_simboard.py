"""systolith simboard; what it serves is tested with the target serial."""

import os

import pytest


@pytest.fixture
def served(monkeypatch):
    """What would be served; the user presses Ctrl-C as soon as the port is there."""
    import systolith.simulated.board

    calls = []

    def serve(setup, *, error_rate, seed, ready, progress):
        calls.append((setup, error_rate, seed))
        ready("/dev/pts/77")
        raise KeyboardInterrupt

    monkeypatch.setattr(systolith.simulated.board, "serve_board", serve)
    return calls


def test_simboard(systolith, served):
    result = systolith("simboard")
    assert result.code == 0
    assert result.out.splitlines()[0].endswith(", 64 KiB: --target serial:/dev/pts/77")
    ((setup, error_rate, seed),) = served
    assert (setup.config.rows, setup.config.columns, setup.memory_bytes) == (4, 4, 1 << 16)
    assert (setup.clock_hz, setup.baud, error_rate, seed) == (4_000_000, 1_000_000, 0.0, 0)


def test_options(systolith, served, tmp_path):
    link = tmp_path / "board"
    arguments = ["--array", "2x8-a64", "--memory", "16", "--baud", "115200", "--link", link]
    result = systolith("simboard", *arguments, "--error-rate", "0.01", "--seed", "5", "--json")
    assert result.code == 0
    ((setup, error_rate, seed),) = served
    assert result.json == {
        "port": "/dev/pts/77",
        "board": None,
        "array": str(setup.config),
        "memory_bytes": 16384,
        "clock_hz": 460_800,
        "baud": 115_200,
        "netlist": False,
    }
    assert str(setup.config).startswith("2x8-axi32-a64-")
    assert (error_rate, seed) == (0.01, 5)
    assert not link.is_symlink()


def test_interrupted_before_it_is_ready(systolith, monkeypatch):
    """Who waits for the port can tell that there will be none."""
    from systolith.simulated import board

    def serve(setup, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(board, "serve_board", serve)
    result = systolith("simboard")
    assert (result.code, result.out) == (130, "")
    assert "interrupted" in result.err


def test_link_is_there_meanwhile(systolith, monkeypatch, tmp_path):
    from systolith.simulated import board

    link = tmp_path / "board"
    link.symlink_to(tmp_path / "gone")
    targets = []

    def serve(setup, *, ready, **options):
        ready("/dev/pts/78")
        targets.append(link.readlink())

    monkeypatch.setattr(board, "serve_board", serve)
    assert f"--target serial:{link}" in systolith("simboard", "--link", link).out.replace("\n", "")
    assert [str(target) for target in targets] == ["/dev/pts/78"]
    assert not link.is_symlink()


def test_link_of_a_killed_board_leads_here(systolith, monkeypatch, tmp_path):
    """The system gives the number of its port again."""
    from systolith.simulated import board

    link, port = tmp_path / "board", tmp_path / "port"
    link.symlink_to(port)

    def serve(setup, *, ready, **options):
        port.touch()
        ready(str(port))
        assert link.samefile(port)

    monkeypatch.setattr(board, "serve_board", serve)
    assert systolith("simboard", "--link", link).code == 0
    assert not link.is_symlink()


@pytest.mark.parametrize("kind", ["file", "link"])
def test_link_is_another_s(systolith, monkeypatch, tmp_path, kind):
    """What someone puts in its place while it is there is left alone."""
    from systolith.simulated import board

    link = tmp_path / "board"

    def serve(setup, *, ready, **options):
        ready("/dev/pts/78")
        link.unlink()
        if kind == "file":
            link.touch()
        else:
            link.symlink_to("/dev/pts/79")

    monkeypatch.setattr(board, "serve_board", serve)
    assert systolith("simboard", "--link", link).code == 0
    assert link.is_file() if kind == "file" else str(link.readlink()) == "/dev/pts/79"


@pytest.mark.parametrize("kind", ["file", "link"])
def test_link_is_made_meanwhile(fails, monkeypatch, tmp_path, kind):
    """What someone makes while the board is built stays."""
    from systolith.simulated import board

    link, other = tmp_path / "board", tmp_path / "other"
    other.touch()

    def serve(setup, *, ready, **options):
        if kind == "file":
            link.write_text("mine")
        else:
            link.symlink_to(other)
        try:
            ready("/dev/pts/78")
        finally:
            assert link.read_text() == ("mine" if kind == "file" else "")
            link.unlink()

    monkeypatch.setattr(board, "serve_board", serve)
    message = fails("simboard", "--link", link)
    assert message == f"Invalid value for --link: {link} cannot be made: there is something already"


def test_board_that_does_not_fit(systolith, served):
    pytest.importorskip("amaranth_boards")
    result = systolith("simboard", "--board", "icebreaker", "--array", "8x8")
    assert "no bitstream of it, but it can be simulated: array 8x8" in result.err
    assert "needs 32 DSP, the board has 8; the largest that does is about 4x4" in result.err
    assert served[0][0].config.rows == 8
    assert systolith("simboard", "--board", "icebreaker").err == ""


def test_board(systolith, served):
    pytest.importorskip("amaranth_boards")
    from systolith_hw.boards import find_board

    board = find_board("icebreaker")
    result = systolith("simboard", "--board", "icebreaker", "--json")
    assert result.code == 0
    assert result.json["array"] == str(board.array)
    assert result.json["memory_bytes"] == board.memory_bytes
    assert (result.json["clock_hz"], result.json["baud"]) == (board.clock_hz, board.clock_hz // 4)
    systolith("simboard", "--board", "icebreaker", "--array", "2x2", "--memory", "8", "--baud", "115200")
    setup = served[1][0]
    assert (setup.config.rows, setup.config.columns) == (2, 2)
    assert (setup.memory_bytes, setup.clock_hz, setup.baud) == (8192, board.clock_hz, 115_200)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--array", "3x3"], "rows must be a power of two from 2 to 64, not 3"),
        (
            ["--memory", "6"],
            "Invalid value for --memory: must be a multiple of 4, not 6",
        ),
        (
            ["--memory", "8192"],
            "Invalid value for '--memory': must be an integer from 4 to 4096, not '8192'",
        ),
        (["--error-rate", "1.5"], "'--error-rate'"),
        (["--board", "nexys"], "Invalid value for --board: unknown board 'nexys'; known are "),
        (["--board", "icebreaker", "--baud", "20000000"], "Invalid value for --baud: baud must be "),
    ],
)
def test_wrong_options(fails, served, arguments, message):
    assert message in fails("simboard", *arguments)
    assert not served


def test_wrong_link(fails, served, monkeypatch, tmp_path):
    file = tmp_path / "file"
    file.touch()
    assert fails("simboard", "--link", file).endswith(f"{file} cannot be made: there is something already")
    missing = tmp_path / "no" / "board"
    assert fails("simboard", "--link", missing).endswith(
        f"{missing} cannot be made: its folder does not exist"
    )
    long = tmp_path / (300 * "x") / "board"
    assert fails("simboard", "--link", long).endswith(f"{long} cannot be made: File name too long")
    monkeypatch.setattr(os, "access", lambda path, mode: path != tmp_path)
    locked = tmp_path / "board"
    assert fails("simboard", "--link", locked).endswith(
        f"{locked} cannot be made: its folder cannot be written"
    )
    assert not served
    message = fails("simboard", "--link", "/proc/board")
    assert message == "Invalid value for --link: /proc/board cannot be made: No such file or directory"


def test_boards_not_installed(fails, served, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "systolith_hw.boards", None)
    message = fails("simboard", "--board", "icebreaker", code=1)
    assert message == "boards need the Python module systolith_hw.boards: pip install 'systolith[fpga]'"


def test_netlist_of_a_vendor_s_tool(fails, served):
    pytest.importorskip("amaranth_boards")
    message = fails("simboard", "--board", "arty-a7", "--netlist")
    assert message.startswith("Invalid value for --netlist: no netlist of 'arty-a7'; there are ulx3s-85f, ")
    assert not served
