"""Requests and responses of the link as bytes."""

import dataclasses
import struct
import zlib

from systolith_hw.link import (
    CHECK_BYTES,
    PAYLOAD_MAX_BYTES,
    REQUEST_HEADER,
    REQUEST_START,
    RESPONSE_HEADER,
    RESPONSE_START,
    WRITE,
    LinkStatus,
    Space,
)

__all__ = ["REQUEST_MAX_BYTES", "RESPONSE_MAX_BYTES", "Request", "Response", "ResponseFinder"]

_CHECK = struct.Struct("<I")
_START = bytes([RESPONSE_START])
_BEGIN_BYTES = len(_START) + RESPONSE_HEADER.size
_STATUSES = frozenset(LinkStatus)

REQUEST_MAX_BYTES = 1 + REQUEST_HEADER.size + CHECK_BYTES + PAYLOAD_MAX_BYTES + CHECK_BYTES
"""Size of the longest request."""

RESPONSE_MAX_BYTES = _BEGIN_BYTES + PAYLOAD_MAX_BYTES + 1 + CHECK_BYTES
"""Size of the longest response."""


@dataclasses.dataclass(frozen=True, slots=True)
class Request:
    """One access. Made twice, it does what it does once.

    Parameters
    ----------
    space : Space
    address : int
    length : int
        Bytes, 1 to 256.
    data : bytes or None
        What is written, of that length; None: a read.
    """

    space: Space
    address: int
    length: int
    data: bytes | None = None

    @property
    def operation(self):
        """The first byte of the header."""
        return self.space if self.data is None else self.space | WRITE

    @property
    def frame_bytes(self):
        """Size of the request on the line."""
        payload = 0 if self.data is None else self.length + CHECK_BYTES
        return 1 + REQUEST_HEADER.size + CHECK_BYTES + payload

    @property
    def response_bytes(self):
        """Size of its response on the line."""
        payload = self.length if self.data is None else 0
        return _BEGIN_BYTES + payload + 1 + CHECK_BYTES

    def pack(self, sequence):
        """The request as bytes.

        Parameters
        ----------
        sequence : int
        """
        header = REQUEST_HEADER.pack(self.operation, self.length - 1, sequence, self.address)
        check = zlib.crc32(header)
        frame = bytes([REQUEST_START]) + header + _CHECK.pack(check)
        if self.data is None:
            return frame
        return frame + self.data + _CHECK.pack(zlib.crc32(self.data, check))


@dataclasses.dataclass(frozen=True, slots=True)
class Response:
    """The answer to a request.

    Parameters
    ----------
    sequence : int
    status : LinkStatus
    data : bytes
        What was read; empty for a write.
    """

    sequence: int
    status: LinkStatus
    data: bytes


class ResponseFinder:
    """Finds whole responses among bytes of which any may be missing, wrong or too many."""

    def __init__(self):
        self._buffer = bytearray()

    def add(self, data):
        """Take in what has come over the line."""
        self._buffer += data

    def clear(self):
        """Forget what has come."""
        self._buffer.clear()

    def find(self, expected):
        """The next response to one of these requests, or None unless it is there.

        Parameters
        ----------
        expected : dict of int to Request
            Requests by sequence number.

        Returns
        -------
        Response or None
        """
        buffer = self._buffer
        while True:
            start = buffer.find(_START)
            del buffer[: len(buffer) if start < 0 else start]
            if len(buffer) < _BEGIN_BYTES:
                return None
            operation, last, sequence = RESPONSE_HEADER.unpack_from(buffer, len(_START))
            request = expected.get(sequence)
            if request is not None and (operation, last) == (request.operation, request.length - 1):
                size = request.response_bytes
                if len(buffer) < size:
                    return None
                body = bytes(buffer[len(_START) : size - CHECK_BYTES])
                (check,) = _CHECK.unpack_from(buffer, size - CHECK_BYTES)
                if zlib.crc32(body) == check and body[-1] in _STATUSES:
                    del buffer[:size]
                    return Response(sequence, LinkStatus(body[-1]), body[RESPONSE_HEADER.size : -1])
            # What began here is no such response; another may begin at any byte of it.
            del buffer[:1]
