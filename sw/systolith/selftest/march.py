"""Device memory: a march through its words, and one through its blocks.

March C- writes and reads every cell in both orders of addresses, ``0`` and ``1`` in turn::

    up (w0); up (r0, w1); up (r1, w0); down (r0, w1); down (r1, w0); down (r0)

It finds stuck cells, cells that cannot change, addresses of no cell, of another's or of several, and cells
that change with another (A. J. van de Goor, “Testing Semiconductor Memories”, 1991; Marinescu's March C,
1982, without its redundant element). Here a cell is a word or a block, ``0`` is bytes that differ from place
to place, and ``1`` their complement: that finds as much, and data within one cell in the wrong place, too.
"""

import time

import numpy as np

from .outcome import failed, passed
from .patterns import background, bits_of, kept, size_text

__all__ = ["check_blocks", "check_words"]

MARCH_C_MINUS = (
    ("up", None, 0),
    ("up", 0, 1),
    ("up", 1, 0),
    ("down", 0, 1),
    ("down", 1, 0),
    ("down", 0, None),
)
"""Order of addresses, what is read, what is written."""

OPERATIONS = 10
"""Reads and writes of each cell."""

BLOCK_BYTES = 1024

VISIBLE_MAX_CELLS = 4096
"""Of a memory that is the host's own, which is not what is to be checked."""


def check_words(device, effort):
    """March C- word by word, through as much of the memory as there is time for."""
    return _check(device, effort, device.config.bus_bytes)


def check_blocks(device, effort):
    """March C- block by block, through as much of the memory as there is time for."""
    return _check(device, effort, BLOCK_BYTES)


def _check(device, effort, cell_bytes):
    nbytes = _affordable_bytes(device, effort, cell_bytes)
    base = device.memory_base
    with kept(device, [(base, nbytes)]):
        wrong = _march(device, base, nbytes, cell_bytes)
    if wrong is not None:
        return wrong
    whole = nbytes == device.memory_bytes
    extent = "all of" if whole else f"the first {size_text(nbytes)} of"
    return passed(
        f"{extent} {size_text(device.memory_bytes)}, {size_text(cell_bytes)} at a time",
        tested_bytes=nbytes,
        memory_bytes=device.memory_bytes,
    )


def _affordable_bytes(device, effort, cell_bytes):
    """What a march can get through in time: all of the memory, or a power of two."""
    cells = 4
    address = device.memory_base
    start = time.perf_counter()
    for _ in range(cells):
        device.write(address, device.read(address, cell_bytes))
    seconds = (time.perf_counter() - start) / (2 * cells)
    limit = device.memory_bytes
    if device.memory is not None:
        limit = min(limit, VISIBLE_MAX_CELLS * cell_bytes)
    affordable = max(2, int(effort.memory_seconds / (OPERATIONS * seconds))) * cell_bytes
    return limit if affordable >= limit else 1 << affordable.bit_length() - 1


def _march(device, base, nbytes, cell_bytes):
    """The outcome for the first cell that is wrong, or None."""
    zeros = background(base, nbytes)
    written = (zeros, ~zeros)
    offsets = range(0, nbytes, cell_bytes)
    for step, (order, read, write) in enumerate(MARCH_C_MINUS):
        for offset in offsets if order == "up" else reversed(offsets):
            cell = slice(offset, offset + cell_bytes)
            if read is not None:
                came = device.read(base + offset, cell_bytes)
                if not np.array_equal(came, written[read][cell]):
                    return _wrong(base + offset, written[read][cell], came, step)
            if write is not None:
                device.write(base + offset, written[write][cell])
    return None


def _wrong(address, wanted, came, step):
    wanted, came = wanted.view("<u4"), came.view("<u4")
    index = int(np.flatnonzero(wanted != came)[0])
    address += 4 * index
    value, got = int(wanted[index]), int(came[index])
    return failed(
        f"the word at {address:#010x} is {got:#010x}, not {value:#010x} ({bits_of(value ^ got)} differ), "
        f"in element {step + 1} of the march",
        address=address,
        expected=value,
        got=got,
        element=step + 1,
    )
