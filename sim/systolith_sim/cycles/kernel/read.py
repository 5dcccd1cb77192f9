"""The read DMA: who may read when."""

from typing import NamedTuple

import numpy as np

from . import buffer as buffers
from . import channel, fifo, loader, splitter
from . import fetch as fetches
from .base import NEVER, fields, inlined, jit
from .channel import CHANNEL, transfer
from .fifo import FIFO
from .loader import Loader
from .splitter import SPLITTER, first_burst

READ_DMA = fields("", splitter=SPLITTER, channel=CHANNEL, pending=FIFO)
"""The burst splitter, the data channel, and the rows that are waited for."""


class Reads(NamedTuple):
    """The state, and the three that ask."""

    state: np.void
    fetch: np.void
    a: Loader
    b: Loader


@jit
def set_up(setup, reads):
    """Begin before the first request."""
    state = reads.state
    reads.a.buffer.state.lines = setup.a_buffer_lines
    reads.b.buffer.state.lines = setup.b_buffer_lines
    reads.b.state.walk.of_b = True
    loader.set_up(setup, reads.a)
    loader.set_up(setup, reads.b)
    splitter.set_up(state.splitter)
    channel.set_up(state.channel, setup.read_numerator, setup.read_denominator)
    fifo.set_up(state.pending, setup.outstanding, setup.queue)


@jit
def next_grant(setup, reads):
    """When the next request is granted, as things stand."""
    return _next_grant(reads, fetches.valid(setup, reads.fetch))


@jit
def grant(setup, queue, reads, limit):
    """Grant requests up to ``limit``, and as far as what is read cannot yet change who is next.

    The cycle of the last beat if a descriptor was read, after which nothing more is granted; else ``NEVER``.
    """
    descriptor = fetches.valid(setup, reads.fetch)
    cycle = _next_grant(reads, descriptor)
    while cycle <= limit:
        if descriptor <= cycle:
            address = fetches.slot(setup, reads.fetch.dispatched)
            return _read(setup, reads, cycle, address, setup.record_bytes >> setup.bus_log2)
        # When what is read next can be used.
        used = cycle + setup.read_latency + setup.read_dma + 3
        if _grant_loader(setup, queue, reads, cycle, min(limit + 1, descriptor), used + 1):
            limit = min(limit, used)
        cycle = _next_grant(reads, descriptor)
    return NEVER


@inlined
def _next_grant(reads, descriptor):
    valid = min(descriptor, reads.a.state.at.valid, reads.b.state.at.valid)
    if valid == NEVER:
        return NEVER
    return max(valid, reads.state.splitter.at.ready, fifo.writable(reads.state.pending))


@jit
def _grant_loader(setup, queue, reads, cycle, until, used):
    """Grant a panel, until another request goes before it; whether anyone may go on when the data are there.

    B is used a panel at a time, A a row at a time.
    """
    by, a_first = reads.b, _a_first(reads)
    of_a = reads.a.state.at.valid <= cycle and (reads.b.state.at.valid > cycle or a_first)
    if of_a:
        by = reads.a
        until = min(until, used)
    if a_first != of_a:
        until = min(until, reads.b.state.at.valid if of_a else reads.a.state.at.valid)
    while True:
        panel = by.state.panel
        end = _read(setup, reads, cycle, panel.address, panel.beats)
        buffers.arrive(by.buffer, end + setup.read_dma + 1)
        if loader.grant(setup, queue, by, cycle):
            return True
        cycle = max(by.state.at.valid, reads.state.splitter.at.ready, fifo.writable(reads.state.pending))
        if cycle >= until:
            return of_a


@inlined
def _a_first(reads):
    a, b = reads.a.state.panel, reads.b.state.panel
    blocks_ahead = (b.block - a.block) & 0xFFFF
    if blocks_ahead == 0:
        return b.later_sweep != 0 or a.line < b.line
    return blocks_ahead >> 15 == 0


@inlined
def _read(setup, reads, cycle, address, beats):
    """Read beats; the cycle of the last one on R."""
    state = reads.state
    first = first_burst(setup, address, beats)
    burst = splitter.load(state.splitter, cycle) + 1
    end = transfer(state.channel, burst + setup.read_latency, first)
    if first < beats:
        burst += 1
        end = transfer(state.channel, burst + setup.read_latency, beats - first)
    splitter.last(state.splitter, burst)
    fifo.write(reads.state.pending, cycle)
    fifo.pop(reads.state.pending, end + setup.read_dma)
    return end
