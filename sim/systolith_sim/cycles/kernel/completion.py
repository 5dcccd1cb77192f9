"""The completion: ends descriptors in order, and says what each is charged."""

from . import fetch as fetches
from . import write
from .base import ALWAYS, NEVER, fields, jit

COMPLETION = fields("number writing free idle_until")
"""Descriptors that ended; whether the last one's record is being written; when the next may be looked at;
the last cycle in which everything submitted had ended."""


def set_up(completion, first_available):
    """Begin before the first descriptor."""
    completion["free"] = ALWAYS
    completion["idle_until"] = first_available - 1


@jit
def done(completion, queue):
    """Whether every descriptor has ended, and its record is written."""
    return completion.number == len(queue.descriptors) and not completion.writing


@jit
def next_end(setup, queue, fetch, completion):
    """When the next descriptor's end is seen, as things stand."""
    number, ended = completion.number, queue.counts.ended
    if completion.writing or number >= fetch.state.dispatched:
        return NEVER
    valid = max(fetch.progress[number].dispatched + setup.queue, completion.free)
    if not queue.descriptors[number].runs:
        return valid
    return max(valid, queue.table[ended].stored) if ended < queue.counts.stored else NEVER


@jit
def close(setup, queue, fetch, writes, completion, cycle):
    """A descriptor's end is seen in this cycle."""
    number = completion.number
    end = cycle
    if queue.descriptors[number].runs:
        end = max(cycle, _charge(queue, completion, cycle) + setup.queue)
    write.offer_record(writes, end + 1, fetches.slot(setup, number) + setup.record_bytes)
    completion.writing = True
    completion.number += 1
    if completion.number < len(fetch.progress):
        available = fetch.progress[completion.number].available
        if available > end + 1:
            completion.idle_until = available - 1


@jit
def _charge(queue, completion, cycle):
    """The job in charge has completed; the last cycle that it is charged."""
    ended = queue.counts.ended
    following = ended + 1
    handed_on = following < queue.counts.begun and queue.table[following].begin < cycle
    job = queue.table[ended]
    job.before = completion.idle_until
    if ended:
        job.before = max(job.before, queue.table[ended - 1].end)
    job.end = queue.table[following].begin if handed_on else cycle
    queue.counts.ended += 1
    return job.end


@jit
def recorded(fetch, completion, sent, response):
    """The last beat of the record is sent and its response given in these cycles."""
    progress = fetch.progress[fetch.state.released]
    progress.released = sent
    progress.recorded = response + 2
    fetch.state.released += 1
    completion.free = sent + 1
    completion.writing = False
