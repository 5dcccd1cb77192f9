"""Tiles of D between the pass sequencer and the store."""

import numpy as np

from .base import ALWAYS, NEVER, fields, inlined

HALVES = 2
"""Accumulator halves, and sets of epilogue parameters."""

RING = 8
"""Tiles that are remembered; more than can be under way."""

TILES = fields(
    "",
    count=fields("finished released"),
    at=fields("", stored_from=(np.int64, RING), released=(np.int64, RING)),
)
"""How many tiles are finished and released; of each, when its rows can be read, and when the epilogue is
done with it."""


@inlined
def place(tiles, number):
    """When tile ``number`` can have an accumulator half and a set of parameters."""
    if number < HALVES:
        return ALWAYS
    holder = number - HALVES
    return tiles.at.released[holder & RING - 1] + 1 if holder < tiles.count.released else NEVER


@inlined
def finish(tiles, cycle):
    """The rows of another tile can be read from ``cycle`` on."""
    tiles.at.stored_from[tiles.count.finished & RING - 1] = cycle
    tiles.count.finished += 1


@inlined
def release(tiles, cycle):
    """The epilogue is done with another tile."""
    tiles.at.released[tiles.count.released & RING - 1] = cycle
    tiles.count.released += 1
