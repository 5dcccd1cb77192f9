"""A board whose device memory is an SDRAM."""

import random

from sim.simboard.frames import DECERR, MEMORY, OKAY
from sim.simboard.host import Host
from systolith_hw import ArrayConfig
from systolith_hw.board.sdram import IS42S16160G
from systolith_sim.simboard import BoardSetup, SimulatedBoard, build_board

SETUP = BoardSetup(config=ArrayConfig.parse("2x2"), sdram=IS42S16160G)


def test_memory():
    rng = random.Random(5)
    with SimulatedBoard(build_board(SETUP), SETUP) as board:
        host = Host(board)
        size = IS42S16160G.memory_bytes
        written = {}
        for start in [0, size - 256, *(rng.randrange(size - 256) for _ in range(40))]:
            written[start] = rng.randbytes(rng.randint(1, 256))
            assert host.ask(MEMORY, start, written[start]) == (OKAY, b"")
        for start, data in written.items():
            assert host.ask(MEMORY, start, len(data)) == (OKAY, data)
        assert host.ask(MEMORY, size, 4)[0] == DECERR
