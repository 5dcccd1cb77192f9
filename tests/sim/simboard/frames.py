"""The link's frames, written down a second time: shares no code with what it checks."""

import struct
import zlib
from typing import NamedTuple

MEMORY, DEVICE, BOARD = range(3)
OKAY, SLVERR, DECERR, REFUSED = 0, 2, 3, 4


def request(space, address, content, sequence=0):
    """A read of ``content`` bytes, or a write of the bytes ``content``."""
    is_write = isinstance(content, bytes)
    length = len(content) if is_write else content
    header = struct.pack("<BBHI", space | is_write << 7, length - 1, sequence, address)
    frame = b"\xa5" + header + struct.pack("<I", zlib.crc32(header))
    return frame + content + struct.pack("<I", zlib.crc32(header + content)) if is_write else frame


class Response(NamedTuple):
    operation: int
    length: int
    sequence: int
    data: bytes
    status: int


def responses(line):
    """The responses of which these bytes consist."""
    found = []
    while line:
        start, operation, length, sequence = struct.unpack_from("<BBBH", line)
        assert start == 0x5A
        end = 5 if operation & 0x80 else 5 + length + 1
        status, check = struct.unpack_from("<BI", line, end)
        assert check == zlib.crc32(line[1 : end + 1])
        found.append(Response(operation, length + 1, sequence, bytes(line[5:end]), status))
        line = line[end + 5 :]
    return found
