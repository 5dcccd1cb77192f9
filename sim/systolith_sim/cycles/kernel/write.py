"""The write DMA: rows of results and records to memory."""

from typing import NamedTuple

import numpy as np

from . import fifo
from . import store as stores
from .base import ALWAYS, NEVER, fields, jit
from .channel import CHANNEL, first_burst, transfer
from .fifo import Fifo, make_fifo

STATE = fields("record record_address splitter_free response", channel=CHANNEL)
"""When a completion record is offered, and where to; when the burst splitter is free; the latest response;
the data channel."""


class Writes(NamedTuple):
    """The state, and the bursts whose data and whose responses are waited for."""

    state: np.void
    data: Fifo
    responses: Fifo


def make_writes(setup):
    """Before the first write."""
    state = np.zeros(1, STATE)[0]
    state["record"] = NEVER
    state["splitter_free"] = state["response"] = ALWAYS
    for name in ("numerator", "denominator"):
        state["channel"][name] = setup[f"write_{name}"]
    state["channel"]["last"] = -1
    return Writes(state, *(make_fifo(setup["outstanding"], setup["queue"]) for _ in range(2)))


@jit
def offer_record(writes, cycle, address):
    """A completion record is offered from ``cycle`` on."""
    writes.state.record = cycle
    writes.state.record_address = address


@jit
def next_grant(setup, writes, store):
    """When the next write is granted, as things stand."""
    valid = min(writes.state.record, stores.offered(setup, store))
    return NEVER if valid == NEVER else max(valid, writes.state.splitter_free)


@jit
def grant(setup, queue, writes, store, cycle):
    """Grant it; the cycle of its last beat if it was a record, ``NEVER`` otherwise."""
    state = writes.state
    if state.record <= cycle:
        state.record = NEVER
        beats = setup.record_bytes >> setup.bus_log2
        return _write(setup, writes, cycle, state.record_address, beats, ALWAYS)
    row = store.granted % stores.RING
    ready = stores.grant(setup, store, cycle)
    stores.sent(store, _write(setup, writes, cycle, store.address[row], store.beats[row], ready))
    if store.end[row]:
        queue.table[queue.counts.stored].stored = state.response + 2
        queue.counts.stored += 1
    return NEVER


@jit
def _write(setup, writes, cycle, address, beats, ready):
    """Write beats, of which the first is there at ``ready``; the cycle of the last."""
    first = first_burst(setup, address, beats)
    writes.state.splitter_free = cycle
    end = _burst(setup, writes, first, ready)
    return _burst(setup, writes, beats - first, ready) if first < beats else end


@jit
def _burst(setup, writes, beats, ready):
    state, data, responses = writes
    state.splitter_free = max(state.splitter_free + 1, fifo.writable(data), fifo.writable(responses))
    end = transfer(state.channel, max(ready, fifo.write(data, state.splitter_free)), beats)
    fifo.pop(data, end)
    fifo.write(responses, state.splitter_free)
    state.response = max(end + setup.write_latency, state.response + 1)
    fifo.pop(responses, state.response + 1)
    return end
