"""The monitor's rules find what they are for."""

import pytest
from hw.cocotb_accelerator.rules import Bursts, Handshake


def handshake(*samples):
    violations = []
    channel = Handshake("AR", violations)
    moved = [channel.sample(*sample) for sample in samples]
    return violations, [payload for payload in moved if payload is not None]


def test_handshake():
    samples = [(0, 1, None), (1, 0, "x"), (1, 0, "x"), (1, 1, "x"), (1, 1, "y"), (0, 0, None)]
    assert handshake(*samples) == ([], ["x", "y"])


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        ([(1, 0, "x"), (0, 0, None)], "AR: VALID fell before READY"),
        ([(1, 0, "x"), (1, 1, "y")], "AR: payload changed under back-pressure"),
    ],
)
def test_handshake_wrong(samples, message):
    assert handshake(*samples)[0] == [message]


def play(*calls):
    violations = []
    bursts = Bursts(4, violations)
    for name, *arguments in calls:
        getattr(bursts, name)(*arguments)
    bursts.finish()
    return violations


READ = ("read_address", 0xFF8, 1, 2, 1)
WRITE = ("write_address", 0x1000, 1, 2, 1)
BEAT, LAST = ("write_data", False), ("write_data", True)


def test_bursts():
    assert play(READ, ("read_data",), ("read_data",)) == []
    assert play(WRITE, BEAT, LAST, ("write_response",)) == []
    assert play(BEAT, LAST, WRITE, WRITE, BEAT, LAST, ("write_response",), ("write_response",)) == []


@pytest.mark.parametrize(
    ("calls", "message"),
    [
        ([("read_address", 0xFFC, 1, 2, 1)], "AR: 8 bytes at 0xffc cross 4 KiB"),
        ([("write_address", 0x1FFC, 1, 2, 1)], "AW: 8 bytes at 0x1ffc cross 4 KiB"),
        ([("read_address", 0xFF2, 0, 2, 1)], "AR: 0xff2 is not aligned"),
        ([("read_address", 0xFF0, 0, 1, 1)], "AR: size 1 is not the bus width"),
        ([("write_address", 0xFF0, 0, 2, 2)], "AW: burst type 2"),
        ([("read_data",)], "R: data that nobody asked for were accepted"),
        ([READ, ("read_data",)], "transfers are left open"),
        ([WRITE, LAST], "W: WLAST at beat 1 of 2"),
        ([LAST, WRITE], "W: WLAST at beat 1 of 2"),
        ([WRITE, BEAT, BEAT], "W: no WLAST at beat 2"),
        ([WRITE, BEAT, LAST], "transfers are left open"),
        ([WRITE, BEAT, ("write_response",)], "B: a response that belongs to no write was accepted"),
    ],
)
def test_bursts_wrong(calls, message):
    assert message in play(*calls)
