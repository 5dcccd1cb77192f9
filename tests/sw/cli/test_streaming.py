"""Text that is shown as it is made: on a terminal, and elsewhere."""

import io

import pytest
import rich.console
from systolith.cli import streaming
from systolith.cli.streaming import TextStream

PIECES = ("One", " two\nthree", " \x1b[31m", "[bold]")


def show(*, shown):
    with TextStream(shown=shown) as stream:
        for index, piece in enumerate(PIECES):
            stream.add(piece, f"step {index}")


def test_piped(capsys):
    """Text on stdout as it stands but for what controls a terminal, a line for every step on stderr."""
    show(shown=True)
    out, err = capsys.readouterr()
    assert out == "One two\nthree \\x1b[31m[bold]\n"
    assert err == "step 0\nstep 1\nstep 2\nstep 3\n"


def test_not_shown(capsys):
    show(shown=False)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("step") == len(PIECES)


def test_terminal(monkeypatch, capsys):
    """The line stands below the text, and is gone in the end."""
    output = io.StringIO()
    console = rich.console.Console(file=output, force_terminal=True, width=60)
    monkeypatch.setattr(streaming, "results", console)
    show(shown=True)
    shown = output.getvalue()
    assert all(f"step {index}" in shown for index in range(4))
    last = shown.rpartition("step 3")[2]
    assert "One two" in last
    assert "\\x1b[31m[bold]" in last
    assert "\x1b[31m" not in shown
    assert capsys.readouterr() == ("", "")


def test_interrupted(monkeypatch):
    """What was made stays, and the terminal is as it was."""
    output = io.StringIO()
    console = rich.console.Console(file=output, force_terminal=True, width=60)
    monkeypatch.setattr(streaming, "results", console)
    monkeypatch.setattr(streaming, "printable", lambda text: int(text) and text)
    with pytest.raises(ValueError, match="invalid literal"):
        show_numbers("1", "one")
    assert "1" in output.getvalue().rpartition("step")[2]
    assert output.getvalue().rpartition("\x1b[?25")[2].startswith("h")


def show_numbers(*pieces):
    with TextStream(shown=True) as stream:
        for piece in pieces:
            stream.add(piece, "step")
