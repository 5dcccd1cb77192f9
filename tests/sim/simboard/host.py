"""Asks a simulated board, every wait bounded."""

from sim.simboard.frames import MEMORY, OKAY, request, responses

BYTE_CYCLES = 40
"""Of the fastest line: ten bits of four cycles."""


class Host:
    def __init__(self, board):
        self.board = board
        self._sequence = 0

    def exchange(self, line, gaps=None, *, cycles=400_000):
        """The responses to these bytes."""
        self.board.send(line, gaps)
        return responses(self.hear(cycles))

    def hear(self, cycles=400_000):
        """What the board sends until it is silent."""
        end = self.board.cycles + cycles
        heard = bytearray()
        while self.board.cycles < end:
            part = self.board.run(min(20_000, end - self.board.cycles))
            if not part and not self.board.waiting and self.board.quiet_cycles > 10 * BYTE_CYCLES:
                break
            heard += part
        return bytes(heard)

    def ask(self, space, address, content):
        """The status and data of one request."""
        self._sequence += 1
        (response,) = self.exchange(request(space, address, content, self._sequence))
        length = len(content) if isinstance(content, bytes) else content
        assert response.sequence == self._sequence
        assert response.operation == space | isinstance(content, bytes) << 7
        assert response.length == length
        return response.status, response.data

    def read(self, address, nbytes):
        """Memory of any size."""
        parts = [
            self.ask(MEMORY, start, min(256, address + nbytes - start))
            for start in range(address, address + nbytes, 256)
        ]
        assert all(status == OKAY for status, _ in parts)
        return b"".join(data for _, data in parts)

    def register(self, space, offset):
        status, data = self.ask(space, offset, 4)
        assert status == OKAY
        return int.from_bytes(data, "little")
