"""The serial link between a host and a board, declared once for hardware, host and documentation.

A request is a start byte, a header, its check, and for a write the payload and a second check; a response is
a start byte, a header, for a read the payload, a status and a check. All numbers are little-endian. A check
is the CRC of everything before it but the start byte and another check, so that no part of a frame passes for
another frame's.
"""

import dataclasses
import enum
import struct

from .registers import Register

__all__ = [
    "BOARD_REGISTERS",
    "CHECK_BYTES",
    "CRC_NAME",
    "DROPPED_BITS",
    "LINK_MAGIC",
    "LINK_VERSION",
    "PAYLOAD_MAX_BYTES",
    "REQUEST_HEADER",
    "REQUEST_START",
    "RESET_CYCLES",
    "RESPONSE_HEADER",
    "RESPONSE_START",
    "WRITE",
    "BoardControl",
    "BoardState",
    "LinkStatus",
    "RequestField",
    "Space",
]

LINK_VERSION = 1
"""Raised whenever frames or board registers change incompatibly."""

LINK_MAGIC = int.from_bytes(b"LINK", "little")
"""Value of the board register ``id``."""

REQUEST_START = 0xA5
"""First byte of every request."""

RESPONSE_START = 0x5A
"""First byte of every response; another one, so that an echo is no answer."""

CRC_NAME = "CRC-32/ISO-HDLC"
"""The catalogued algorithm of every check: Ethernet's, zlib's."""

CHECK_BYTES = 4
"""Size of a check."""

PAYLOAD_MAX_BYTES = 256
"""Most bytes that one request reads or writes."""

WRITE = 0x80
"""Set in ``operation`` for a write."""

SPACE_MASK = 0x03
"""Bits of ``operation`` that hold the :class:`Space`; all others are zero."""

IDLE_BYTES = 512
"""Bytes' time without a byte, or up to a quarter more, after which a board drops an incomplete request."""

QUEUE_BYTES = 2048
"""Bytes of requests that a board takes before the first of them is answered, unless it has less room."""


RESET_CYCLES = 256
"""Of a reset by the host, or up to twice as many: more than the longest way through array and epilogue."""

DROPPED_BITS = 8
"""Of the board register ``dropped``."""


class Space(enum.IntEnum):
    """What a request's address counts in."""

    MEMORY = 0
    """Device memory. Any address and length."""
    DEVICE = 1
    """The accelerator's registers; four bytes at a multiple of four."""
    BOARD = 2
    """The board's own registers; four bytes at a multiple of four."""


class LinkStatus(enum.IntEnum):
    """How a request ended; of several errors, the first."""

    OKAY = 0
    """Done."""
    SLVERR = 2
    """The bus answered SLVERR: there is no such register, or it cannot be written."""
    DECERR = 3
    """The bus answered DECERR: there is no memory at this address."""
    REFUSED = 4
    """Nothing was accessed: there is no such space, or it does not take this address and length."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class RequestField:
    """A field of a header.

    Parameters
    ----------
    size : int
        Bytes.
    doc : str
        What it holds.
    """

    size: int
    doc: str


REQUEST_FIELDS = {
    "operation": RequestField(size=1, doc="Bit 7: write; bits 1 and 0: the space; the others zero"),
    "length": RequestField(size=1, doc="Bytes to be read or written, minus 1"),
    "sequence": RequestField(size=2, doc="The request's number, which its response repeats"),
    "address": RequestField(size=4, doc="Of the first byte"),
}
"""The header of a request in its order; that of a response is the same without ``address``."""

_CODES = {1: "B", 2: "H", 4: "I"}
_CODE = "".join(_CODES[field.size] for field in REQUEST_FIELDS.values())
REQUEST_HEADER = struct.Struct(f"<{_CODE}")
"""Packs ``operation``, ``length``, ``sequence``, ``address``."""

RESPONSE_HEADER = struct.Struct(f"<{_CODE[:-1]}")
"""Packs ``operation``, ``length``, ``sequence``."""


class BoardControl(enum.IntFlag):
    """Bits of the board register ``control``."""

    RESET = 1 << 0
    """Reset the accelerator. Memory stays as it is; the write is answered when the reset is over."""


class BoardState(enum.IntFlag):
    """Bits of the board register ``state``."""

    INTERRUPT = 1 << 0
    """The accelerator's interrupt line."""
    FAULT = 1 << 1
    """An access of the accelerator was answered with an error since it was reset."""


BOARD_REGISTERS = {
    "id": Register(offset=0x00, access="ro", doc='The magic number, `"LINK"` in ASCII'),
    "version": Register(offset=0x04, access="ro", doc="Version of this link"),
    "memory_bytes": Register(
        offset=0x08, access="ro", doc="Size of the device memory, which begins at address 0"
    ),
    "clock_hz": Register(offset=0x0C, access="ro", doc="The clock"),
    "baud": Register(offset=0x10, access="ro", doc="Bits per second of the serial line"),
    "queue_bytes": Register(
        offset=0x14, access="ro", doc="Bytes of requests that may be sent before the first is answered"
    ),
    "control": Register(offset=0x18, access="rw", doc="Bit 0 reset; reads as zero"),
    "state": Register(offset=0x1C, access="ro", doc="Bit 0 interrupt, bit 1 fault"),
    "dropped": Register(
        offset=0x20,
        access="ro",
        doc=f"Requests that were dropped as damaged or incomplete, modulo {1 << DROPPED_BITS}",
    ),
}
"""Every register of the space ``BOARD`` by name, in address order."""
