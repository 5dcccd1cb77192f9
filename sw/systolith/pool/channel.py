"""Objects over a socket between a pool and its workers."""

import pickle
import struct

__all__ = ["Channel", "frame"]

_LENGTH = struct.Struct("<Q")
_CHUNK_BYTES = 1 << 16


def frame(message):
    """The bytes that send a message, for one that is sent again and again."""
    body = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
    return _LENGTH.pack(len(body)) + body


class Channel:
    """One end of a stream socket. Whoever is at the other end is trusted: messages are pickles.

    Parameters
    ----------
    socket : socket.socket
        Closed with the channel.
    """

    def __init__(self, socket):
        self.socket = socket

    def send(self, framed):
        """Send a message.

        Parameters
        ----------
        framed : bytes
            From :func:`frame`.

        Raises
        ------
        ConnectionError
            If the other end is closed.
        """
        self.socket.sendall(framed)

    def receive(self):
        """Wait for a message.

        Raises
        ------
        EOFError, ConnectionError
            If the other end is closed.
        """
        (length,) = _LENGTH.unpack(self._take(_LENGTH.size))
        return pickle.loads(self._take(length))  # noqa: S301 -- both ends are ours

    def close(self):
        """Close this end. May be called again."""
        self.socket.close()

    def _take(self, nbytes):
        chunks = []
        while nbytes:
            chunk = self.socket.recv(min(nbytes, _CHUNK_BYTES))
            if not chunk:
                raise EOFError
            chunks.append(chunk)
            nbytes -= len(chunk)
        return b"".join(chunks)
