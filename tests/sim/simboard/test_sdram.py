"""A board whose device memory is an SDRAM."""

import random

import pytest
from sim.simboard.frames import BOARD, DECERR, MEMORY, OKAY
from sim.simboard.host import Host
from systolith_hw import ArrayConfig
from systolith_hw.board.sdram import IS42S16160G
from systolith_hw.link import BOARD_REGISTERS
from systolith_sim.simboard import BoardSetup, SimulatedBoard, build_board

SETUP = BoardSetup(config=ArrayConfig.parse("2x2"), sdram=IS42S16160G, baud=2_000_000)


@pytest.fixture
def host():
    with SimulatedBoard(build_board(SETUP), SETUP) as board:
        yield Host(board)


def test_memory(host):
    rng = random.Random(5)
    size = IS42S16160G.memory_bytes
    written = {}
    for start in [0, size - 256, *(rng.randrange(size - 256) for _ in range(40))]:
        written[start] = rng.randbytes(rng.randint(1, 256))
        assert host.ask(MEMORY, start, written[start]) == (OKAY, b"")
    for start, data in written.items():
        assert host.ask(MEMORY, start, len(data)) == (OKAY, data)
    assert host.ask(MEMORY, size, 4)[0] == DECERR


def test_reset(host):
    """Memory is as it was, however often and soon after an access the board is reset."""
    rng = random.Random(7)
    data = bytearray(rng.randbytes(2048))
    for start in range(0, len(data), 256):
        assert host.ask(MEMORY, start, bytes(data[start : start + 256])) == (OKAY, b"")
    for _ in range(10):
        start, piece = rng.randrange(len(data) - 8), rng.randbytes(8)
        data[start : start + 8] = piece
        assert host.ask(MEMORY, start, piece) == (OKAY, b"")
        assert host.ask(BOARD, BOARD_REGISTERS["control"].offset, b"\x01\0\0\0") == (OKAY, b"")
    assert host.read(0, len(data)) == data
