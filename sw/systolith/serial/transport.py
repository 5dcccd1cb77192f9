"""How the driver reaches an accelerator on a board."""

import numpy as np
from systolith_hw import REGISTERS
from systolith_hw.baud import BITS_PER_BYTE
from systolith_hw.link import (
    BOARD_REGISTERS,
    DROPPED_BITS,
    PAYLOAD_MAX_BYTES,
    BoardControl,
    BoardState,
    Space,
)

from systolith.errors import ProtocolError
from systolith.transport import LinkStatistics, Transport, cycles_between

from .board import greet
from .frames import Request
from .link import Link

__all__ = ["SerialTransport"]

_REGISTER_BYTES = 4


class SerialTransport(Transport):
    """Registers, memory and interrupt of an accelerator behind a serial line.

    Parameters
    ----------
    line : Line
        Closed with the transport.
    baud : int
        Bits per second of the line.

    Members
    -------
    facts : BoardFacts
    repeated : int
        Requests that were sent again so far, because something of them or of their answers was lost.

    Raises
    ------
    TargetUnavailable
        If no board answers, or one of another version.
    LinkError
        If the port fails.
    """

    def __init__(self, line, baud):
        self._line = line
        self.facts = greet(line, baud)
        self.memory_bytes = self.facts.memory_bytes
        self._link = Link(line, baud=baud, queue_bytes=self.facts.queue_bytes)
        self._dropped = 0
        [self._dropped_register] = self.read_board_registers("dropped")
        if not line.is_pseudo_terminal:
            self.clock_hz = self.facts.clock_hz
            self.line_bytes_per_second = baud / BITS_PER_BYTE

    @property
    def repeated(self):  # noqa: D102 -- documented with the class
        return self._link.repeated

    @property
    def link_statistics(self):
        """What has gone over the line so far.

        Drops are missing if the board's count went all the way round since this was read last.
        """
        before = self._dropped_register
        [self._dropped_register] = self.read_board_registers("dropped")
        self._dropped += (self._dropped_register - before) % (1 << DROPPED_BITS)
        return LinkStatistics(requests=self._link.requests, retries=self.repeated, dropped=self._dropped)

    @property
    def seconds(self):
        """Time spent with the board so far."""
        return self._link.seconds

    def read_register(self, offset):
        """The 32 bits at a byte offset of the accelerator's registers."""
        return int.from_bytes(self._link.read(Space.DEVICE, offset, _REGISTER_BYTES), "little")

    def write_register(self, offset, value):
        """Write 32 bits at a byte offset of the accelerator's registers."""
        self._link.write(Space.DEVICE, offset, int(value).to_bytes(_REGISTER_BYTES, "little"))

    def read_board_registers(self, *names):
        """The values of registers in :data:`systolith_hw.link.BOARD_REGISTERS`, as a list."""
        return self._read_words(*(_word(Space.BOARD, BOARD_REGISTERS[name]) for name in names))

    def read(self, address, nbytes):
        """A copy of device memory, ``(nbytes,) uint8``."""
        requests = [
            Request(Space.MEMORY, start, min(PAYLOAD_MAX_BYTES, address + nbytes - start))
            for start in range(address, address + nbytes, PAYLOAD_MAX_BYTES)
        ]
        return np.frombuffer(b"".join(self._link.exchange(requests)), np.uint8).copy()

    def write(self, address, data):
        """Write ``(nbytes,) uint8`` to device memory."""
        octets = data.tobytes()
        pieces = [octets[i : i + PAYLOAD_MAX_BYTES] for i in range(0, len(octets), PAYLOAD_MAX_BYTES)]
        starts = range(address, address + len(octets), PAYLOAD_MAX_BYTES)
        self._link.exchange(
            [
                Request(Space.MEMORY, start, len(piece), piece)
                for start, piece in zip(starts, pieces, strict=True)
            ]
        )

    def wait_interrupt(self, max_cycles):
        """Ask until the interrupt line is high; False if it stays low for that many cycles.

        Raises
        ------
        ProtocolError
            If the accelerator's clock stands still.
        """
        requests = [
            _word(Space.BOARD, BOARD_REGISTERS["state"]),
            _word(Space.DEVICE, REGISTERS["cycles"]),
        ]
        elapsed = 0
        before = None
        while True:
            state, cycles = self._read_words(*requests)
            if state & BoardState.INTERRUPT:
                return True
            if before is not None:
                if cycles == before:
                    raise ProtocolError("the accelerator's cycle counter stands still")
                elapsed += cycles_between(before, cycles)
            if elapsed >= max_cycles:
                return False
            before = cycles

    def diagnose(self):
        """How the link is."""
        return f"{self.repeated} requests were sent again"

    def reset(self):
        """Forget what is on the line, and reset the accelerator; its memory stays as it is."""
        self._link.synchronize()
        control = BoardControl.RESET.to_bytes(_REGISTER_BYTES, "little")
        self._link.write(Space.BOARD, BOARD_REGISTERS["control"].offset, control)

    def close(self):
        """Give the port up."""
        self._line.close()

    def _read_words(self, *requests):
        return [int.from_bytes(data, "little") for data in self._link.exchange(requests)]


def _word(space, register):
    """The request that reads a register."""
    return Request(space, register.offset, _REGISTER_BYTES)
