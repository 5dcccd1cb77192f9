"""Requests to a board, each repeated until it is answered."""

import collections
import dataclasses
import secrets
import time

from systolith_hw.baud import BITS_PER_BYTE
from systolith_hw.link import PAYLOAD_MAX_BYTES, LinkStatus

from systolith.errors import BusError, LinkError, ProtocolError

from .frames import REQUEST_MAX_BYTES, RESPONSE_MAX_BYTES, Request, ResponseFinder

__all__ = ["Link"]

ATTEMPTS = 16
"""Times that a request is sent, and silences in a row, before the link counts as broken."""

SILENCE_SECONDS = 0.1
"""Longest pause of a host, an adapter and a board that are well, beside what the bytes on the line take."""

SILENCE_MAX_SECONDS = 1.0
"""Until what was not answered is sent again, however often it has been."""

LISTENING_SECONDS = 2.0
"""For which bytes that are no answer put off that something is sent again."""

HEARING_SECONDS = 10.0
"""For which a board may go on with answers to others."""

FLYING_RESPONSE_BYTES = 4096
"""Bytes of responses that are waited for at once: what a system keeps of a port that is not read."""

PADDING = b"\xff" * (PAYLOAD_MAX_BYTES + 8)
"""Ends a request whose rest a board waits for, and aligns a receiver that took a bit for a start bit."""

SEQUENCES = 1 << 16
"""After so many, a sequence number comes again."""


class Link:
    """Makes requests over a line on which bytes are lost, doubled, delayed or changed.

    Requests are made without waiting for each other's answers. A board answers in order: of a request whose
    successor is answered, something was lost, and it is sent again at once; after a silence the oldest is.
    All that is sent more than once must be such that this does no harm.

    Parameters
    ----------
    line : Line
    baud : int
        Bits per second of the line.
    queue_bytes : int
        Bytes of requests that the board takes before it has answered the first.
    attempts : int
        Times that a request is sent, and silences in a row, at most.

    Members
    -------
    requests : int
        Requests that were to be made so far.
    repeated : int
        Requests that were sent again so far.
    seconds : float
        Time spent with requests so far.
    """

    def __init__(self, line, *, baud, queue_bytes=REQUEST_MAX_BYTES, attempts=ATTEMPTS):
        self._line = line
        self._queue_bytes = queue_bytes
        self._attempts = attempts
        self._pause_seconds = (
            SILENCE_SECONDS + 2 * (REQUEST_MAX_BYTES + RESPONSE_MAX_BYTES) * BITS_PER_BYTE / baud
        )
        self._slowest_seconds = 0.0
        self._finder = ResponseFinder()
        # A board may still answer whoever used it before.
        self._sequence = secrets.randbelow(SEQUENCES)
        self.requests = self.repeated = 0
        self.seconds = 0.0

    def synchronize(self):
        """Forget what is on its way, and end what a board may have received of a request.

        What the board still says to whoever used it before is heard out, for at most ten seconds.

        Raises
        ------
        LinkError
        """
        self._line.discard()
        self._finder.clear()
        self._line.send(PADDING)
        deadline = time.perf_counter() + HEARING_SECONDS
        while self._line.receive(2 * self._pause_seconds) and time.perf_counter() < deadline:
            pass

    def exchange(self, requests):
        """Make requests. The board does them in any order: none may depend on another.

        Parameters
        ----------
        requests : list of Request

        Returns
        -------
        list of bytes
            What each has read; empty for a write.

        Raises
        ------
        LinkError
            If one is not answered, or none for a while, or the port fails.
        BusError
            If there is nothing at an address.
        ProtocolError
            If the board refuses a request.
        """
        start = time.perf_counter()
        self.requests += len(requests)
        try:
            return self._exchange(requests)
        finally:
            self.seconds += time.perf_counter() - start

    def read(self, space, address, nbytes):
        """Bytes from an address on, in one request."""
        return self.exchange([Request(space, address, nbytes)])[0]

    def write(self, space, address, data):
        """Write bytes from an address on, in one request."""
        self.exchange([Request(space, address, len(data), data)])

    def _exchange(self, requests):
        results = [b""] * len(requests)
        waiting = collections.deque(enumerate(requests))
        flying = {}
        silences = 0
        heard = time.perf_counter()
        while waiting or flying:
            self._launch(waiting, flying)
            response = self._next_response(flying, heard, self._patience(silences))
            if response is None:
                silences += 1
                if silences == self._attempts:
                    raise self._unanswered(f"the last {self._attempts} requests")
                self._line.send(PADDING)
                # Its answer will tell of the others.
                self._send_again(flying, [next(iter(flying))])
                heard = time.perf_counter()
                continue
            now = time.perf_counter()
            self._slowest_seconds = max(now - heard, 0.9 * self._slowest_seconds)
            silences, heard = 0, now
            order = list(flying)
            overtaken = order[: order.index(response.sequence)]
            flight = flying.pop(response.sequence)
            _check(flight.request, response.status)
            results[flight.index] = response.data
            self._send_again(flying, overtaken)
        return results

    def _patience(self, silences):
        """Seconds to wait for an answer after so many silences in a row."""
        seconds = self._pause_seconds + 2 * self._slowest_seconds
        return min(seconds * 2**silences, max(seconds, SILENCE_MAX_SECONDS))

    def _launch(self, waiting, flying):
        """Send what the board can take."""
        frames = []
        sent_bytes = sum(flight.request.frame_bytes for flight in flying.values())
        response_bytes = sum(flight.request.response_bytes for flight in flying.values())
        while waiting:
            index, request = waiting[0]
            sent_bytes += request.frame_bytes
            response_bytes += request.response_bytes
            if flying and (sent_bytes > self._queue_bytes or response_bytes > FLYING_RESPONSE_BYTES):
                break
            waiting.popleft()
            flying[self._sequence] = _Flight(index, request)
            frames.append(request.pack(self._sequence))
            self._sequence = (self._sequence + 1) % SEQUENCES
        if frames:
            self._line.send(b"".join(frames))

    def _send_again(self, flying, sequences):
        """Send requests again, behind all others."""
        for sequence in sequences:
            flight = flying.pop(sequence)
            flight.attempts += 1
            if flight.attempts > self._attempts:
                raise self._unanswered(f"a request that was sent {self._attempts} times")
            flying[sequence] = flight
            self._line.send(flight.request.pack(sequence))
            self.repeated += 1

    def _unanswered(self, what):
        return LinkError(
            f"the board at {self._line.name} did not answer {what}; "
            "the device can be reset, or closed and opened again"
        )

    def _next_response(self, flying, heard, patience):
        """The next answer; None if there is none for so many seconds, counted from when the last was heard.

        Bytes that are not yet an answer put the end off, but not for ever.
        """
        expected = {sequence: flight.request for sequence, flight in flying.items()}
        deadline = heard + patience
        while True:
            response = self._finder.find(expected)
            if response is not None:
                return response
            seconds = deadline - time.perf_counter()
            data = self._line.receive(max(seconds, 0.0))
            self._finder.add(data)
            if seconds <= 0:
                # What came while the host did something else counts.
                return self._finder.find(expected)
            if data:
                begun = min(time.perf_counter(), heard + LISTENING_SECONDS)
                deadline = max(deadline, begun + patience)


@dataclasses.dataclass(slots=True)
class _Flight:
    """A request that was sent and is not answered."""

    index: int
    request: Request
    attempts: int = 1


def _check(request, status):
    if status in (LinkStatus.SLVERR, LinkStatus.DECERR):
        raise BusError("read" if request.data is None else "write", request.address)
    if status is LinkStatus.REFUSED:
        raise ProtocolError(
            f"the board refused to access {request.length} bytes at {request.address:#010x} "
            f"of the space {request.space.name}"
        )
