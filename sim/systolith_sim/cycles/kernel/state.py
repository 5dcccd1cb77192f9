"""The state of the whole accelerator, and which of its words are times."""

import numpy as np

from .base import fields
from .buffer import BUFFER
from .completion import COMPLETION
from .fetch import FETCH
from .jobs import JOBS
from .loader import LOADER
from .passes import PASSES
from .read import READ_DMA
from .store import STORE
from .tiles import TILES
from .weights import WEIGHTS
from .write import WRITE_DMA

_UNITS = {
    "a_loader": LOADER,
    "b_loader": LOADER,
    "reads": READ_DMA,
    "tiles": TILES,
    "weights": WEIGHTS,
    "passes": PASSES,
    "store": STORE,
    "writes": WRITE_DMA,
}

STATE = fields("", jobs=JOBS, fetch=FETCH, completion=COMPLETION, a_buffer=BUFFER, b_buffer=BUFFER, **_UNITS)

_MOVING = ("n", "address", "record_address", "row_address", "free_ticks")
"""What is a position or a time although it is not under ``count`` or ``at``."""


def _words(layout, kind, begin):
    """The words of a layout: ``(index, kind, whether it is part of a ring)``."""
    for name in layout.names:
        inner, offset = layout.fields[name][:2]
        index = begin + offset // 8
        if inner.names:
            yield from _words(inner, name if name in ("at", "count") else kind, index)
        elif inner.shape:
            yield from ((index + word, kind, True) for word in range(inner.shape[0]))
        else:
            yield index, "moving" if name in _MOVING else kind, False


_ALL = [
    word for name, layout in _UNITS.items() for word in _words(layout, "plain", STATE.fields[name][1] // 8)
]

TIMES = np.array([index for index, kind, _ in _ALL if kind == "at"])
"""The words that are times, in rings or not."""

SINGLE_TIMES = np.array([index for index, kind, in_ring in _ALL if kind == "at" and not in_ring])
"""The words that are times, but for those in rings."""

PLAIN = np.array([index for index, kind, in_ring in _ALL if kind == "plain" and not in_ring])
"""The words that neither are times nor count anything."""
