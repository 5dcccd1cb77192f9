"""Frames of which bytes are changed, lost, doubled or late."""

import random

import pytest
from sim.simboard.frames import BOARD, MEMORY, OKAY, request
from sim.simboard.host import BYTE_CYCLES
from systolith_hw.link import BOARD_REGISTERS, IDLE_BYTES
from systolith_sim.simboard import SimulatedBoard
from systolith_sim.simboard.damage import Damage

CONTENT = b"12345678"
FRAME = request(MEMORY, 64, CONTENT, 7)
PAUSE = [0] * len(FRAME)


def is_alive(host):
    """Whether the board answers once it has given up what is not whole."""
    gap = [(IDLE_BYTES * 5 // 4 + 2) * BYTE_CYCLES] + [0] * 12
    return [answer.status for answer in host.exchange(request(BOARD, 0, 4), gap)] == [OKAY]


def dropped(host):
    return host.register(BOARD, BOARD_REGISTERS["dropped"].offset)


@pytest.mark.parametrize("kind", ["changed", "lost", "doubled"])
def test_one_wrong_byte(host, kind):
    """No such request is done or answered, and the next one is."""
    rng = random.Random(kind)
    for index in range(len(FRAME)):
        octet = FRAME[index : index + 1]
        instead = {"changed": bytes([octet[0] ^ 1 << rng.randrange(8)]), "lost": b"", "doubled": 2 * octet}[
            kind
        ]
        damaged = FRAME[:index] + instead + FRAME[index + 1 :]
        if damaged.startswith(FRAME):
            continue
        assert host.exchange(damaged) == []
        assert is_alive(host)
    assert host.read(0, 256) == bytes(256)
    # Without its start byte a request is not noticed, all others are told of.
    assert dropped(host) >= len(FRAME) - 2


def test_doubled_last_byte(host):
    assert [answer.status for answer in host.exchange(FRAME + FRAME[-1:])] == [OKAY]
    assert host.read(64, 8) == CONTENT
    assert is_alive(host)


@pytest.mark.parametrize("index", range(1, len(FRAME)))
def test_late_byte(host, index):
    """A byte may be late, and not too late: a quarter more than is said drops the request."""
    gaps = list(PAUSE)
    gaps[index] = (IDLE_BYTES - 2) * BYTE_CYCLES
    assert [answer.status for answer in host.exchange(FRAME, gaps)] == [OKAY]
    gaps[index] = (IDLE_BYTES * 5 // 4 + 2) * BYTE_CYCLES
    assert host.exchange(FRAME, gaps) == []
    assert dropped(host) == 1
    assert is_alive(host)


def test_noise(host):
    """Random bytes do nothing and are not answered, and requests between them are found."""
    rng = random.Random(5)
    for _ in range(20):
        noise = bytes(octet for octet in rng.randbytes(200) if octet != 0xA5)
        assert [answer.status for answer in host.exchange(noise + FRAME)] == [OKAY]
    for _ in range(20):
        host.exchange(rng.randbytes(300))
        assert is_alive(host)
    assert host.read(0, 256) == bytes(64) + CONTENT + bytes(184)


def test_request_within_a_lost_one(host):
    """After a wrong check the next start byte counts, wherever it is."""
    broken = FRAME[:9] + bytes([FRAME[9] ^ 1]) + FRAME[10:]
    answers = host.exchange(broken + request(MEMORY, 0, 4, 9))
    assert [answer.sequence for answer in answers] == [9]


def test_damage_is_seeded():
    data = random.Random(0).randbytes(10_000)

    def damaged(rate, seed):
        damage = Damage(rate, seed=seed, delay_max=100)
        return damage.pass_through(data), damage.count

    assert damaged(0, 1) == ([(octet, 0) for octet in data], 0)
    assert damaged(0.01, 1) == damaged(0.01, 1)
    assert damaged(0.01, 1) != damaged(0.01, 2)
    octets, count = damaged(0.01, 1)
    assert 50 < count < 200
    assert any(0 < octet.delay <= 100 for octet in octets)
    with pytest.raises(ValueError, match=r"^rate must be from 0 to 1, not 1.5$"):
        Damage(1.5, seed=0, delay_max=1)


def test_board_is_switched_off_once(library, setup):
    board = SimulatedBoard(library, setup)
    board.close()
    board.close()
