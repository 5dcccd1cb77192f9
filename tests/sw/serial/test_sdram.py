"""GEMMs on a board whose accelerator and link share the bus of an SDRAM."""

import random

import numpy as np
import pytest
from sim.simboard.test_sdram import SETUP
from sw.oracle import gemm
from systolith.driver import RingDevice
from systolith.serial.transport import SerialTransport
from systolith_hw.registers import Status
from systolith_sim.simboard import SimulatedBoard, build_board

SLICE_CYCLES = 400
SILENT_CYCLES = 40_000


class BoardLine:
    """The line to a board that runs while its host waits."""

    name = "a simulated board"
    is_pseudo_terminal = True

    def __init__(self, board):
        self._board = board
        self.send = board.send

    def receive(self, _seconds):
        for _ in range(0, SILENT_CYCLES, SLICE_CYCLES):
            data = self._board.run(SLICE_CYCLES)
            if data:
                return data
        return b""

    def discard(self):
        pass

    def close(self):
        self._board.close()


@pytest.fixture
def device():
    board = SimulatedBoard(build_board(SETUP), SETUP)
    transport = SerialTransport(BoardLine(board), SETUP.baud)
    with RingDevice("board", SETUP.config, transport, ring_slots=8) as device:
        yield device


def products(m, k, n, *, count, seed):
    rng = np.random.default_rng(seed)
    return [
        (rng.integers(-128, 128, (m, k), np.int8), rng.integers(-128, 128, (k, n), np.int8))
        for _ in range(count)
    ]


def test_gemms_beside_the_host(device, monkeypatch):
    """The host writes and reads memory while the accelerator does; neither disturbs the other."""
    rng = random.Random(8)
    transport = device.transport
    mine = device.allocate(8192)
    expected = np.zeros(mine.size, np.uint8)
    device.write(mine.address, expected)
    wait, overlapped = transport.wait_interrupt, 0

    def wait_interrupt(max_cycles):
        nonlocal overlapped
        while not transport.read_board_registers("state")[0]:
            nbytes = rng.randint(1, 100)
            start = rng.randrange(mine.size - nbytes)
            data = expected[start : start + nbytes] = np.frombuffer(rng.randbytes(nbytes), np.uint8)
            transport.write(mine.address + start, data)
            before = max(0, start - 20)
            read = transport.read(mine.address + before, nbytes)
            np.testing.assert_array_equal(read, expected[before : before + nbytes])
            overlapped += not transport.read_board_registers("state")[0]
        return wait(max_cycles)

    monkeypatch.setattr(transport, "wait_interrupt", wait_interrupt)
    pairs = products(60, 70, 50, count=4, seed=9)
    with device.queue() as queue:
        pending = [queue.matmul(a, b) for a, b in pairs]
    for (a, b), each in zip(pairs, pending, strict=True):
        np.testing.assert_array_equal(each.result(), gemm(a, b))
    np.testing.assert_array_equal(device.read(mine.address, mine.size), expected)
    assert overlapped >= 5


def test_reset_in_the_middle(device):
    """A reset while the accelerator accesses memory leaves all of it as it is, but where results go."""
    # Bound by memory: nearly always a row is open.
    [(a, b)] = products(1, 256, 200, count=1, seed=10)
    mine = device.allocate(3000)
    data = np.random.default_rng(11).integers(0, 256, mine.size, np.uint8)
    device.write(mine.address, data)
    with device.queue() as queue:
        pending = queue.matmul(a, b)
    np.testing.assert_array_equal(pending.result(), gemm(a, b))
    for _ in range(8):
        device.submit(device.trace[0].descriptors * 6)
        assert device.read_register("status") & Status.BUSY
        device.reset()
        np.testing.assert_array_equal(device.read(mine.address, mine.size), data)
    with device.queue() as queue:
        pending = queue.matmul(a, b)
    np.testing.assert_array_equal(pending.result(), gemm(a, b))
