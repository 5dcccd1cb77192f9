"""The bytes of a port, here a pseudo-terminal's."""

import contextlib
import os
import pty
import random
import termios
import threading
import time
import tty

import pytest
from systolith import LinkError
from systolith.serial.line import RECEIVE_BYTES, Line


@pytest.fixture
def ends():
    """A line, and the descriptor of its other end."""
    master, slave = pty.openpty()
    tty.setraw(slave)
    line = Line(os.ttyname(slave), 250_000)
    os.close(slave)
    yield line, master
    line.close()
    with contextlib.suppress(OSError):
        os.close(master)


def collect(line, nbytes):
    """So many bytes, in pieces as they come."""
    data = b""
    while len(data) < nbytes:
        piece = line.receive(5.0)
        assert 0 < len(piece) <= RECEIVE_BYTES
        data += piece
    return data


def test_both_ways(ends):
    line, master = ends
    data = random.Random(1).randbytes(20_000)
    threading.Thread(target=os.write, args=(master, data)).start()
    assert collect(line, len(data)) == data
    line.send(data[:100])
    assert os.read(master, 1000) == data[:100]


def test_receive_waits(ends):
    line, master = ends
    begin = time.monotonic()
    assert line.receive(0.05) == b""
    assert time.monotonic() - begin >= 0.05
    assert line.receive(0.0) == b""
    timer = threading.Timer(0.05, os.write, (master, b"late"))
    timer.start()
    assert line.receive(20.0) == b"late"
    assert time.monotonic() - begin < 10


def test_receive_leaves_the_port_as_it_is(ends, monkeypatch):
    """However long it waits: what is on its way would be damaged where the rate is set again."""
    line, master = ends
    monkeypatch.setattr(line._port, "_reconfigure_port", pytest.fail)
    monkeypatch.setattr(termios, "tcsetattr", pytest.fail)
    os.write(master, b"abc")
    assert line.receive(0.5) == b"abc"
    assert line.receive(0.01) == b""


def test_other_end_is_gone(ends):
    line, master = ends
    os.close(master)
    with pytest.raises(LinkError, match=r"^the port /dev/pts/\d+ failed: .* is the board still connected"):
        line.receive(1.0)


def test_discard(ends):
    line, master = ends
    os.write(master, b"old")
    assert line.receive(5.0) == b"old"
    os.write(master, b"old")
    line.discard()
    assert line.receive(0.05) == b""
