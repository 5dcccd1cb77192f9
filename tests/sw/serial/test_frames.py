"""Requests as bytes, and responses among bytes."""

import random
import struct
import zlib

import pytest
from sim.simboard.frames import BOARD, DEVICE, MEMORY, request
from systolith.serial.frames import REQUEST_MAX_BYTES, RESPONSE_MAX_BYTES, Request, Response, ResponseFinder
from systolith_hw.link import LinkStatus, Space

READ = Request(Space.MEMORY, 0x100, 5)
WRITE = Request(Space.MEMORY, 0x200, 3, b"abc")


def frame(request, sequence, data=b"", status=0):
    body = struct.pack("<BBH", request.operation, request.length - 1, sequence) + data + bytes([status])
    return b"\x5a" + body + struct.pack("<I", zlib.crc32(body))


def find_all(data, expected, *, step=None):
    """All responses, with bytes that come so many at a time."""
    finder = ResponseFinder()
    found = []
    for start in range(0, len(data), step or max(1, len(data))):
        finder.add(data[start : start + (step or len(data))])
        while (response := finder.find(expected)) is not None:
            found.append(response)
    return found


@pytest.mark.parametrize("space", [MEMORY, DEVICE, BOARD])
@pytest.mark.parametrize("content", [1, 4, 256, b"x", b"1234", bytes(range(256))])
def test_pack(space, content):
    is_write = isinstance(content, bytes)
    ours = Request(
        Space(space), 0x12345678, len(content) if is_write else content, content if is_write else None
    )
    packed = ours.pack(0xFEDC)
    assert packed == request(space, 0x12345678, content, 0xFEDC)
    assert len(packed) == ours.frame_bytes <= REQUEST_MAX_BYTES
    answer = frame(ours, 0xFEDC, b"" if is_write else bytes(ours.length))
    assert len(answer) == ours.response_bytes <= RESPONSE_MAX_BYTES


@pytest.mark.parametrize("step", [None, 1, 3])
def test_find(step):
    data = frame(READ, 1, b"12345") + frame(WRITE, 2) + frame(READ, 3, b"\x5a" * 5, status=3)
    assert find_all(data, {1: READ, 2: WRITE, 3: READ}, step=step) == [
        Response(1, LinkStatus.OKAY, b"12345"),
        Response(2, LinkStatus.OKAY, b""),
        Response(3, LinkStatus.DECERR, b"\x5a" * 5),
    ]


def test_find_passes_over_what_is_not_expected():
    others = frame(READ, 7, b"12345") + frame(WRITE, 1) + frame(Request(Space.MEMORY, 0, 6), 1, b"123456")
    assert find_all(others + frame(READ, 1, b"54321"), {1: READ}) == [Response(1, LinkStatus.OKAY, b"54321")]


def test_find_passes_over_an_unknown_status():
    assert find_all(frame(READ, 1, b"12345", status=9), {1: READ}) == []


@pytest.mark.parametrize("kind", ["changed", "lost", "doubled"])
def test_find_after_a_wrong_byte(kind):
    """A response that is damaged is no response, and the next is found, whatever the damage makes of it."""
    rng = random.Random(kind)
    good = frame(READ, 1, b"12345")
    for index in range(len(good)):
        octet = good[index : index + 1]
        instead = {"changed": bytes([octet[0] ^ 1 << rng.randrange(8)]), "lost": b"", "doubled": 2 * octet}[
            kind
        ]
        damaged = good[:index] + instead + good[index + 1 :]
        found = find_all(damaged + frame(WRITE, 2) + frame(READ, 3, b"abcde"), {1: READ, 2: WRITE, 3: READ})
        intact = [1] if good in damaged else []
        assert [response.sequence for response in found] == [*intact, 2, 3]


def test_clear():
    finder = ResponseFinder()
    answer = frame(READ, 1, b"12345")
    finder.add(answer[:8])
    finder.clear()
    finder.add(answer[8:])
    assert finder.find({1: READ}) is None
