"""A board answers requests: memory, registers, errors."""

import random

import pytest
from sim.simboard.frames import BOARD, DECERR, DEVICE, MEMORY, OKAY, REFUSED, SLVERR, request
from systolith_hw import REGISTERS, identity
from systolith_hw.link import BOARD_REGISTERS, LINK_MAGIC, LINK_VERSION

MEMORY_BYTES = 1 << 16


def test_memory_at_any_address_and_length(host):
    rng = random.Random(1)
    # The accelerator is idle: all else is as it was switched on.
    start = 5000
    expected = bytearray(4096)
    for count in range(60):
        length = rng.choice([1, 2, 3, 4, 5, 256, rng.randint(1, 256)])
        offset = rng.randrange(len(expected) - length + 1)
        if count % 2:
            assert host.ask(MEMORY, start + offset, length) == (
                OKAY,
                bytes(expected[offset : offset + length]),
            )
        else:
            data = rng.randbytes(length)
            expected[offset : offset + length] = data
            assert host.ask(MEMORY, start + offset, data) == (OKAY, b"")
    assert host.read(start - 256, 256 + len(expected) + 256) == bytes(256) + expected + bytes(256)


def test_memory_to_its_end(host):
    assert host.ask(MEMORY, MEMORY_BYTES - 5, b"abcde") == (OKAY, b"")
    assert host.ask(MEMORY, MEMORY_BYTES - 6, 6) == (OKAY, b"\0abcde")
    assert host.ask(MEMORY, 0, 4) == (OKAY, bytes(4))


@pytest.mark.parametrize("address", [MEMORY_BYTES - 2, MEMORY_BYTES, 1 << 31, (1 << 32) - 4])
def test_memory_beyond_its_end(host, address):
    host.ask(MEMORY, MEMORY_BYTES - 4, b"last")
    status, data = host.ask(MEMORY, address, 4)
    assert status == DECERR and len(data) == 4
    assert host.ask(MEMORY, address & -4, b"XXXX")[0] == (OKAY if address == MEMORY_BYTES - 2 else DECERR)
    assert host.ask(MEMORY, address, b"YYYY")[0] == DECERR
    assert host.read(0, 8) == bytes(8)


def test_registers_of_the_device(host, setup):
    for name, value in identity(setup.config).items():
        assert host.register(DEVICE, REGISTERS[name].offset) == value
    ring_base = REGISTERS["ring_base"].offset
    assert host.ask(DEVICE, ring_base, b"\x80\x23\x45\x67") == (OKAY, b"")
    assert host.register(DEVICE, ring_base) == 0x67452380
    cycles = REGISTERS["cycles"].offset
    before, begin = host.register(DEVICE, cycles), host.board.cycles
    after, end = host.register(DEVICE, cycles), host.board.cycles
    assert abs((after - before) - (end - begin)) <= 100


def test_registers_of_the_board(host, setup):
    def register(name):
        return host.register(BOARD, BOARD_REGISTERS[name].offset)

    assert register("id") == LINK_MAGIC
    assert register("version") == LINK_VERSION
    assert register("memory_bytes") == MEMORY_BYTES
    assert register("clock_hz") == setup.clock_hz
    assert register("baud") == setup.baud
    assert register("queue_bytes") == 2048
    assert register("control") == register("state") == register("dropped") == 0


@pytest.mark.parametrize("space", [DEVICE, BOARD])
@pytest.mark.parametrize("content", [4, b"1234"])
def test_no_such_register(host, space, content):
    last = max(register.offset for register in (REGISTERS if space == DEVICE else BOARD_REGISTERS).values())
    assert host.ask(space, last + 4, content)[0] == SLVERR
    assert host.ask(space, 0xFC, content)[0] == SLVERR


def test_read_only_registers(host):
    for space, registers in ((DEVICE, REGISTERS), (BOARD, BOARD_REGISTERS)):
        assert host.ask(space, registers["id"].offset, b"1234")[0] == SLVERR


@pytest.mark.parametrize("space", [DEVICE, BOARD])
@pytest.mark.parametrize(
    ("address", "length"),
    [(0, 1), (0, 3), (0, 5), (0, 8), (0, 256), (1, 4), (2, 4), (0x100, 4), (1 << 31, 4)],
)
def test_refused_registers(host, space, address, length):
    ring_base = REGISTERS["ring_base"].offset
    assert host.ask(space, address, length)[0] == REFUSED
    assert host.ask(space, ring_base + address, bytes([0xFF]) * length)[0] == REFUSED
    assert host.register(DEVICE, ring_base) == 0


@pytest.mark.parametrize("operation", [3, 4, 0x20, 0x40])
@pytest.mark.parametrize("content", [4, b"1234", 256, bytes(256)])
def test_refused_operation(host, operation, content):
    assert host.ask(operation, 0, content)[0] == REFUSED
    assert host.read(0, 4) == bytes(4)


def test_back_to_back(host):
    """As many requests as may be sent before the first is answered; answered in order."""
    rng = random.Random(3)
    data = rng.randbytes(7 * 256)
    writes = [request(MEMORY, 256 * i, data[256 * i : 256 * (i + 1)], i) for i in range(7)]
    assert sum(map(len, writes)) <= 2048
    answers = host.exchange(b"".join(writes))
    assert [(answer.sequence, answer.status) for answer in answers] == [(i, OKAY) for i in range(7)]
    reads = [request(MEMORY, 11 * i, 11, 0xFF00 + i) for i in range(2048 // 13)]
    answers = host.exchange(b"".join(reads))
    assert [answer.sequence for answer in answers] == [0xFF00 + i for i in range(2048 // 13)]
    assert b"".join(answer.data for answer in answers) == data[: 11 * (2048 // 13)]


def test_too_many_at_once(host):
    """What does not fit the queue is dropped; what is answered was done, in order."""
    reads = [request(MEMORY, 0, 256, i) for i in range(300)]
    answers = host.exchange(b"".join(reads), cycles=6_000_000)
    sequences = [answer.sequence for answer in answers]
    assert sequences == sorted(set(sequences)) and sequences[:150] == list(range(150))
    dropped = host.register(BOARD, BOARD_REGISTERS["dropped"].offset)
    # What is left of a request may look like the begin of another; the register does not wrap.
    assert len(answers) < 300 <= len(answers) + dropped


def test_reset(host):
    """A reset of the accelerator leaves memory and the link alone."""
    ring_base = REGISTERS["ring_base"].offset
    host.ask(MEMORY, 100, b"kept")
    host.ask(DEVICE, ring_base, b"\x80one")
    assert host.ask(BOARD, BOARD_REGISTERS["control"].offset, b"\0\0\0\0") == (OKAY, b"")
    assert host.ask(DEVICE, ring_base, 4) == (OKAY, b"\x80one")
    assert host.ask(BOARD, BOARD_REGISTERS["control"].offset, b"\x01\0\0\0") == (OKAY, b"")
    assert host.register(DEVICE, ring_base) == 0
    assert host.read(100, 4) == b"kept"
