"""As much of a reader of the FST format as tells what is in a file, and when."""

import struct
import zlib

HEADER, VALUES, HIERARCHY = 0, 8, 6


def decompress_lz4(data):
    """A block in the LZ4 format."""
    out = bytearray()
    at = 0

    def length(low):
        nonlocal at
        total, more = low, low == 15
        while more:
            total += data[at]
            more = data[at] == 255
            at += 1
        return total

    while True:
        token = data[at]
        at += 1
        literals = length(token >> 4)
        out += data[at : at + literals]
        at += literals
        if at == len(data):
            return bytes(out)
        distance = data[at] | data[at + 1] << 8
        at += 2
        assert 0 < distance <= len(out)
        for _ in range(length(token & 15) + 4):
            out.append(out[-distance])


def blocks(data):
    """The type and contents of each block."""
    at = 0
    while at < len(data):
        kind, size = struct.unpack_from(">BQ", data, at)
        yield kind, data[at + 9 : at + 1 + size]
        at += 1 + size


def read_header(data):
    """Begin and end of the file in time units, and the power of ten of the unit in seconds."""
    contents = dict(blocks(data))[HEADER]
    begin, end = struct.unpack_from(">QQ", contents)
    return begin, end, struct.unpack_from(">b", contents, 64)[0]


def read_names(data):
    """Names of all variables."""
    contents = dict(blocks(data))[HIERARCHY]
    text = decompress_lz4(contents[8:])
    assert len(text) == int.from_bytes(contents[:8], "big")
    return text


def read_times(data):
    """The times at which anything may have changed, from the last block of values."""
    contents = dict(blocks(data))[VALUES]
    size, stored, count = struct.unpack(">QQQ", contents[-24:])
    table = contents[-24 - stored : -24]
    if stored != size:
        table = zlib.decompress(table)
    assert len(table) == size
    times, time, value, shift = [], 0, 0, 0
    for byte in table:
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            time += value
            times.append(time)
            value = shift = 0
    assert len(times) == count
    return times
