"""The state of the whole accelerator, and which of its words are times."""

import numpy as np

from .base import NEVER, fields, jit
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


def _select(units, wanted, *, rings=False):
    """The indices of the words of a kind, of those in rings as well or not."""
    found = [word for name in units for word in _words(_UNITS[name], "plain", STATE.fields[name][1] // 8)]
    return np.array([index for index, kind, in_ring in found if kind == wanted and (rings or not in_ring)])


def _runs(indices):
    """Where indices begin that follow each other, and where they end."""
    breaks = np.flatnonzero(np.diff(indices) != 1)
    return np.array([indices[np.r_[0, breaks + 1]], indices[np.r_[breaks, -1]] + 1]).T.copy()


SINGLE_TIMES = _select(_UNITS, "at")
"""The words that are times, but for those in rings."""

TIMES = _runs(_select(_UNITS, "at", rings=True))
"""The words that are times, in rings or not: ``(runs, 2)``, where each run begins and ends."""

PLAIN = _select(_UNITS, "plain")
"""The words that neither are times nor count anything."""

_STORING = ("store", "writes")

SINGLE_STORE_TIMES = _select(_STORING, "at")
STORE_TIMES = _runs(_select(_STORING, "at", rings=True))
"""Likewise, of the store and the write DMA alone."""


@jit
def postpone(words, runs, cycles):
    """Let everything happen later."""
    for run in range(len(runs)):
        for index in range(runs[run, 0], runs[run, 1]):
            if abs(words[index]) < NEVER // 2:
                words[index] += cycles
