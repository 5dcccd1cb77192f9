"""The write DMA: rows of results and records to memory."""

from . import channel, fifo, jobs, splitter
from . import store as stores
from .base import ALWAYS, NEVER, fields, inlined, jit
from .channel import CHANNEL, transfer
from .fifo import FIFO
from .splitter import SPLITTER, first_burst

WRITE_DMA = fields(
    "record_address",
    at=fields("record response"),
    splitter=SPLITTER,
    channel=CHANNEL,
    data=FIFO,
    responses=FIFO,
)
"""When a completion record is offered, and where to; the latest response; the burst splitter; the data
channel; the bursts whose data and whose responses are waited for."""


@jit
def set_up(setup, writes):
    """Begin before the first write."""
    writes.at.record = NEVER
    writes.at.response = ALWAYS
    splitter.set_up(writes.splitter)
    channel.set_up(writes.channel, setup.write_numerator, setup.write_denominator)
    fifo.set_up(writes.data, setup.outstanding, setup.queue)
    fifo.set_up(writes.responses, setup.outstanding, setup.queue)


@jit
def offer_record(writes, cycle, address):
    """A completion record is offered from ``cycle`` on."""
    writes.at.record = cycle
    writes.record_address = address


@inlined
def next_grant(setup, writes, store):
    """When the next write is granted, as things stand."""
    valid = min(writes.at.record, stores.offered(setup, store))
    return NEVER if valid == NEVER else max(valid, writes.splitter.at.ready)


@jit
def grant(setup, queue, done, writes, store, cycle):
    """Grant it; the cycle of its last beat if it was a record, ``NEVER`` otherwise."""
    if writes.at.record <= cycle:
        writes.at.record = NEVER
        beats = setup.record_bytes >> setup.bus_log2
        return _write(setup, done, writes, store, cycle, writes.record_address, beats, True)
    row = store.count.granted & stores.RING - 1
    stores.grant(store, cycle)
    _write(setup, done, writes, store, cycle, store.address[row], store.beats[row], False)
    if store.end[row]:
        queue.ring[queue.stored & jobs.RING - 1].stored = writes.at.response + 2
        queue.stored += 1
    return NEVER


@jit
def _write(setup, done, writes, store, cycle, address, beats, is_record):
    """Write a record, or a row; the cycle of the last beat."""
    first = first_burst(setup, address, beats)
    splitter.last(writes.splitter, splitter.load(writes.splitter, cycle))
    end = _burst(setup, done, writes, store, first, is_record)
    return _burst(setup, done, writes, store, beats - first, is_record) if first < beats else end


@jit
def _burst(setup, done, writes, store, beats, is_record):
    data, responses = writes.data, writes.responses
    cycle = max(writes.splitter.at.last + 1, fifo.writable(data), fifo.writable(responses))
    splitter.last(writes.splitter, cycle)
    ready = fifo.write(data, cycle)
    if is_record:
        end = transfer(writes.channel, ready, beats)
    else:
        end = _send(setup, done, writes, store, ready, beats)
    fifo.pop(data, end)
    fifo.write(responses, cycle)
    writes.at.response = max(end + setup.write_latency, writes.at.response + 1)
    fifo.pop(responses, writes.at.response + 1)
    return end


@inlined
def _send(setup, done, writes, store, ready, beats):
    """Send beats of the row as the packer completes them, from ``ready`` on; the cycle of the last."""
    end = ready
    while beats:
        ready = max(ready, stores.complete(setup, done, store))
        count = min(beats, store.held)
        end = transfer(writes.channel, ready, count)
        stores.send(store, count, end)
        beats -= count
    return end
