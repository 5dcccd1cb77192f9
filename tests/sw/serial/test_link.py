"""Requests over lines that lose, change and double frames: repeated, bounded, in a window."""

import random
import types

import pytest
from sw.serial.fake_line import FACTS, MEMORY_BYTES, FakeLine
from systolith.errors import BusError, LinkError, ProtocolError
from systolith.serial import link as link_module
from systolith.serial.frames import Request
from systolith.serial.link import ATTEMPTS, Link
from systolith.serial.transport import SerialTransport
from systolith_hw.link import Space


@pytest.fixture(autouse=True)
def no_patience(monkeypatch):
    """Silences that take no time: a fake line answers at once or not at all."""
    monkeypatch.setattr(Link, "_patience", lambda self, silences: 0.001)
    monkeypatch.setattr(link_module, "LISTENING_SECONDS", 0.002)


def writes(data):
    return [Request(Space.MEMORY, i, 16, data[i : i + 16]) for i in range(0, len(data), 16)]


def reads(nbytes):
    return [Request(Space.MEMORY, i, 16) for i in range(0, nbytes, 16)]


def make_link(line, **options):
    return Link(line, baud=1_000_000, **{"queue_bytes": 2048, **options})


@pytest.fixture
def data():
    return random.Random(1).randbytes(MEMORY_BYTES)


def test_exchange(data):
    line = FakeLine()
    link = make_link(line)
    assert link.exchange(writes(data)) == [b""] * (MEMORY_BYTES // 16)
    assert line.memory == data
    assert b"".join(link.exchange(reads(MEMORY_BYTES))) == data
    assert link.repeated == 0
    assert link.exchange([]) == []
    assert line.requests == [(line.requests[0] + i) % (1 << 16) for i in range(2 * MEMORY_BYTES // 16)]


def lossy(rate, seed):
    """Frames of which some lose a byte, are changed, doubled or lost."""
    rng = random.Random(seed)

    def pass_through(frame):
        if rng.random() >= rate:
            return frame
        index = rng.randrange(len(frame))
        octet = frame[index : index + 1]
        instead = rng.choice([b"", bytes([octet[0] ^ 1 << rng.randrange(8)]), 2 * octet])
        return rng.choice([b"", frame[:index] + instead + frame[index + 1 :], 2 * frame])

    return pass_through


@pytest.mark.parametrize("rate", [0.02, 0.3])
@pytest.mark.parametrize("seed", range(5))
def test_exchange_over_a_bad_line(data, rate, seed):
    line = FakeLine(on_request=lossy(rate, seed), on_response=lossy(rate, seed + 100))
    link = make_link(line)
    link.exchange(writes(data))
    assert line.memory == data
    assert b"".join(link.exchange(reads(MEMORY_BYTES))) == data
    assert link.repeated > 0


def test_lost_request_is_sent_again_at_once(data, monkeypatch):
    """A later answer tells of it; nobody waits for a silence."""
    monkeypatch.setattr(Link, "_patience", lambda self, silences: pytest.fail("waited") if silences else 5.0)
    lost = iter([True, False, True])
    line = FakeLine(on_request=lambda frame: b"" if next(lost, False) else frame)
    link = make_link(line)
    link.exchange(writes(data))
    assert line.memory == data
    assert link.repeated == 2


@pytest.mark.parametrize("nbytes", [16, MEMORY_BYTES])
def test_nothing_answers(monkeypatch, nbytes):
    """It takes no longer, and is repeated no more often, with many requests on their way than with one."""
    monkeypatch.undo()
    now = 0.0

    def receive(seconds):
        nonlocal now
        now += seconds
        return b""

    monkeypatch.setattr(link_module, "time", types.SimpleNamespace(perf_counter=lambda: now))
    line = FakeLine()
    line.receive = receive
    link = make_link(line)
    with pytest.raises(
        LinkError, match=r"^the board at /dev/ttyFAKE did not answer the last 16 requests; the device can be"
    ):
        link.exchange(reads(nbytes))
    assert link.repeated == ATTEMPTS - 1
    assert 10 < now < 15


def test_one_request_is_never_answered():
    """Though others are, it is sent a bounded number of times."""
    lost = []

    def every(frame):
        if frame[5] != 0x30:
            return frame
        lost.append(frame)
        return b""

    requests = [Request(Space.MEMORY, 0x30, 16)] + 1000 * [Request(Space.MEMORY, 0, 16)]
    with pytest.raises(LinkError, match="did not answer a request that was sent 16 times"):
        make_link(FakeLine(on_request=every)).exchange(requests)
    assert len(lost) == ATTEMPTS


def test_line_that_babbles():
    """Bytes without end that are no answer are a silence."""
    line = FakeLine(on_response=lambda frame: b"")
    line.receive = lambda seconds: b"\x5a" * 100
    with pytest.raises(LinkError):
        make_link(line).exchange(reads(16))


@pytest.mark.parametrize("queue_bytes", [13, 100, 2048])
def test_window(data, queue_bytes):
    """No more is on its way than the board takes and than the host's system keeps."""
    line = FakeLine()
    link = make_link(line, queue_bytes=queue_bytes)
    flights = []
    launch = link._launch

    def watched(waiting, flying):
        launch(waiting, flying)
        flights.append([flight.request for flight in flying.values()])

    link._launch = watched
    link.exchange(writes(data))
    link.exchange([Request(Space.MEMORY, 0, 256)] * 40)
    for requests in flights:
        assert len(requests) <= 1 or sum(request.frame_bytes for request in requests) <= queue_bytes
        assert len(requests) <= 1 or sum(request.response_bytes for request in requests) <= 4096
    assert max(map(len, flights)) == max(1, queue_bytes // 33, min(queue_bytes // 13, 4096 // 266))


@pytest.mark.parametrize(
    ("status", "error", "message"),
    [
        (2, BusError, "bus error: the read at address 0x00000010 failed"),
        (3, BusError, "bus error: the read at address 0x00000010 failed"),
        (4, ProtocolError, "the board refused to access 4 bytes at 0x00000010 of the space MEMORY"),
    ],
)
def test_status(status, error, message):
    line = FakeLine()
    line.status = status
    link = make_link(line)
    with pytest.raises(error, match=f"^{message}$"):
        link.read(Space.MEMORY, 0x10, 4)
    with pytest.raises(error, match=message.replace("read", "write")):
        link.write(Space.MEMORY, 0x10, b"1234")
    line.status = 0
    assert link.read(Space.MEMORY, 0x10, 4) == bytes(4)


def test_answers_to_others_are_ignored():
    """What a board still says to whoever used it before is no answer."""
    line = FakeLine()
    make_link(line).write(Space.MEMORY, 0, b"new!")
    line.on_response = lambda frame: b"\x5a" + bytes(13) + frame[:7] + frame
    assert make_link(line).read(Space.MEMORY, 0, 4) == b"new!"


def test_synchronize():
    line = FakeLine()
    line._towards_host += b"old answers"
    make_link(line).synchronize()
    assert not line.receive(0)
    # Longer than the rest of any request.
    assert len(line.sent) > 256 + 4 and b"\xa5" not in line.sent


def test_patience(monkeypatch):
    """It grows with silences and with how slow the board was, to a bound."""
    monkeypatch.undo()
    link = make_link(FakeLine())
    times = [link._patience(silences) for silences in range(ATTEMPTS)]
    assert times == sorted(times) and times[0] < 0.2 and times[-1] == link_module.SILENCE_MAX_SECONDS
    link._slowest_seconds = 1.0
    assert 2 < link._patience(0) == link._patience(9) < 3


def test_statistics():
    """What the board drops is counted on where its register begins anew."""
    line = FakeLine(facts=FACTS | {"dropped": 250})
    transport = SerialTransport(line, 1_000_000)
    for dropped, total in ((250, 0), (255, 5), (3, 9), (3, 9), (2, 264)):
        line.facts["dropped"] = dropped
        assert transport.link_statistics.dropped == total
    assert transport.link_statistics.retries == 0
