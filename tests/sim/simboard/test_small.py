"""A board of a small part: few requests wait, and no registers are on its buses."""

import random

import pytest
from sim.simboard.frames import BOARD, DECERR, DEVICE, MEMORY, OKAY, REFUSED, request
from sim.simboard.host import Host
from systolith_hw import REGISTERS, ArrayConfig, identity
from systolith_hw.link import BOARD_REGISTERS
from systolith_sim.simboard import BoardSetup, SimulatedBoard, build_board

SETUP = BoardSetup(
    config=ArrayConfig.parse("2x8-axi32-a16-b128-acc4-e2-ds2-addr17-dim16"),
    queue_bytes=1024,
    bus_registers=False,
)


WIDE = BoardSetup(config=ArrayConfig.parse("2x2-axi128-a16-b128-acc4-e1-ds1"))


@pytest.fixture(scope="module")
def library():
    return build_board(SETUP)


@pytest.fixture
def host(library):
    with SimulatedBoard(library, SETUP) as board:
        yield Host(board)


@pytest.mark.parametrize("setup", [SETUP, pytest.param(WIDE, marks=pytest.mark.long)])
def test_memory(setup):
    """Each byte and no other is written, whatever the width of the memory."""
    data = random.Random(1).randbytes(700)
    with SimulatedBoard(build_board(setup), setup) as board:
        host = Host(board)
        for start in range(0, len(data), 100):
            assert host.ask(MEMORY, 3001 + start, data[start : start + 100]) == (OKAY, b"")
        assert host.read(3000, 702) == b"\0" + data + b"\0"
        for name, value in identity(setup.config).items():
            assert host.register(DEVICE, REGISTERS[name].offset) == value
        ring_base = REGISTERS["ring_base"].offset
        assert host.ask(DEVICE, ring_base, b"\x80\x23\x01\x00") == (OKAY, b"")
        assert host.register(DEVICE, ring_base) == 0x12380


@pytest.mark.parametrize("beyond", [0, 1 << 16, 1 << 17, 1 << 31, (1 << 32) - (1 << 16) - 4])
def test_beyond_memory(host, beyond):
    """No bit of an address is lost, and nothing is accessed behind what is not there."""
    address = (1 << 16) + beyond
    assert host.ask(MEMORY, address, b"X" * 256)[0] == DECERR
    assert host.ask(MEMORY, address, 8)[0] == DECERR
    assert host.read(0, 512) == bytes(512)


def test_registers(host):
    for name, value in identity(SETUP.config).items():
        assert host.register(DEVICE, REGISTERS[name].offset) == value
    assert host.register(BOARD, BOARD_REGISTERS["queue_bytes"].offset) == 1024
    assert host.ask(DEVICE, 0x100, 4)[0] == REFUSED


def test_as_many_as_wait(host):
    count = 1024 // 273
    data = random.Random(2).randbytes(256 * count)
    writes = [request(MEMORY, 256 * i, data[256 * i : 256 * (i + 1)], i) for i in range(count)]
    assert [answer.status for answer in host.exchange(b"".join(writes))] == [OKAY] * count
    reads = [request(MEMORY, 9 * i, 9, i) for i in range(1024 // 13)]
    answers = host.exchange(b"".join(reads))
    assert [answer.sequence for answer in answers] == list(range(len(reads)))
    assert b"".join(answer.data for answer in answers) == data[: 9 * len(reads)]


def test_reset(host):
    ring_base = REGISTERS["ring_base"].offset
    host.ask(MEMORY, 100, b"kept")
    host.ask(DEVICE, ring_base, b"\x80on\0")
    assert host.ask(BOARD, BOARD_REGISTERS["control"].offset, b"\x01\0\0\0") == (OKAY, b"")
    assert host.register(DEVICE, ring_base) == 0
    assert host.read(100, 4) == b"kept"
