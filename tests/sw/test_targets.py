"""What stands for a target."""

import re

import pytest
from systolith import TARGETS, UnknownTarget
from systolith.targets import Target, find_target

BOARD = Target("board", "", has_timing=False, has_stalls=False, cycle_source=None, argument="PORT[,BAUD]")


@pytest.fixture
def board(monkeypatch):
    monkeypatch.setitem(TARGETS, "board", BOARD)


@pytest.mark.parametrize("name", ["golden", "model", "rtl"])
def test_find_without_argument(name):
    assert find_target(name) == (TARGETS[name], None)


@pytest.mark.parametrize("argument", ["/dev/ttyUSB0", "a,b:c", ":"])
def test_find_with_argument(board, argument):
    assert find_target(f"board:{argument}") == (BOARD, argument)


@pytest.mark.parametrize("target", ["fpga", "", "rtl:", "rtl:16x16", "boards:x", ":board", 3, None])
def test_find_wrong(board, target):
    message = re.escape(f", board:PORT[,BAUD], not {target!r}")
    with pytest.raises(UnknownTarget, match=f"^target must be one of golden, model, rtl.*{message}$"):
        find_target(target)


@pytest.mark.parametrize("target", ["board", "board:"])
def test_find_without_needed_argument(board, target):
    message = re.escape(f"target must be board:PORT[,BAUD], not {target!r}")
    with pytest.raises(UnknownTarget, match=f"^{message}$"):
        find_target(target)
