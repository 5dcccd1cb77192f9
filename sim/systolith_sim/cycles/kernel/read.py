"""The read DMA: who may read when."""

from typing import NamedTuple

import numpy as np

from . import buffer as buffers
from . import fetch as fetches
from . import fifo, loader
from .base import ALWAYS, NEVER, fields, jit
from .channel import CHANNEL, first_burst, transfer
from .fetch import Fetch
from .fifo import Fifo, make_fifo
from .loader import Loader, make_loader

STATE = fields("splitter_free", channel=CHANNEL)
"""When the burst splitter is free, and the data channel."""


class Reads(NamedTuple):
    """The state, the rows that are waited for, and the three that ask."""

    state: np.void
    pending: Fifo
    fetch: Fetch
    a: Loader
    b: Loader


def make_reads(setup, fetch):
    """Before the first request."""
    state = np.zeros(1, STATE)[0]
    state["splitter_free"] = ALWAYS
    for name in ("numerator", "denominator"):
        state["channel"][name] = setup[f"read_{name}"]
    state["channel"]["last"] = -1
    pending = make_fifo(setup["outstanding"], setup["queue"])
    return Reads(state, pending, fetch, make_loader(setup, of_b=False), make_loader(setup, of_b=True))


@jit
def next_grant(setup, reads):
    """When the next request is granted, as things stand."""
    return _next_grant(reads, fetches.valid(setup, reads.fetch))


@jit
def grant(setup, queue, reads, limit):
    """Grant requests up to ``limit``, and as far as what is read cannot yet change who is next."""
    descriptor = fetches.valid(setup, reads.fetch)
    cycle = _next_grant(reads, descriptor)
    while cycle <= limit:
        if _grant_one(setup, queue, reads, cycle, descriptor, limit):
            limit = min(limit, cycle + setup.read_latency + setup.read_dma + 2)
            descriptor = fetches.valid(setup, reads.fetch)
        cycle = _next_grant(reads, descriptor)


@jit
def _next_grant(reads, descriptor):
    valid = min(descriptor, reads.a.state.valid, reads.b.state.valid)
    if valid == NEVER:
        return NEVER
    return max(valid, reads.state.splitter_free, fifo.writable(reads.pending))


@jit
def _grant_one(setup, queue, reads, cycle, descriptor, limit):
    """Whether anyone may go on when the data are there: B is used a panel at a time."""
    a, b = reads.a, reads.b
    if descriptor <= cycle:
        address = fetches.slot(setup, reads.fetch.state.dispatched)
        beats = setup.record_bytes >> setup.bus_log2
        fetches.read(setup, queue, reads.fetch, _read(setup, reads, cycle, address, beats))
        return True
    if a.state.valid <= cycle and (b.state.valid > cycle or _a_first(reads)):
        _read_row(setup, reads, a, cycle)
        loader.grant(setup, queue, a, cycle)
        return True
    # The rest of the panel, until another request goes before it.
    until = min(limit + 1, descriptor, a.state.valid if _a_first(reads) else NEVER)
    while True:
        _read_row(setup, reads, b, cycle)
        if loader.grant(setup, queue, b, cycle):
            return True
        cycle = max(b.state.valid, reads.state.splitter_free, fifo.writable(reads.pending))
        if cycle >= until:
            return False


@jit
def _a_first(reads):
    a, b = reads.a.state.panel, reads.b.state.panel
    blocks_ahead = (b.block - a.block) & 0xFFFF
    if blocks_ahead == 0:
        return b.later_sweep != 0 or a.line < b.line
    return blocks_ahead >> 15 == 0


@jit
def _read_row(setup, reads, by, cycle):
    """Read a row of a loader's panel."""
    panel = by.state.panel
    end = _read(setup, reads, cycle, panel.address, panel.beats)
    buffers.arrive(by.buffer, end + setup.read_dma + 1)


@jit
def _read(setup, reads, cycle, address, beats):
    """Read beats; the cycle of the last one on R."""
    state = reads.state
    first = first_burst(setup, address, beats)
    end = transfer(state.channel, cycle + 1 + setup.read_latency, first)
    state.splitter_free = cycle + 1
    if first < beats:
        state.splitter_free += 1
        end = transfer(state.channel, state.splitter_free + setup.read_latency, beats - first)
    fifo.write(reads.pending, cycle)
    fifo.pop(reads.pending, end + setup.read_dma)
    return end
