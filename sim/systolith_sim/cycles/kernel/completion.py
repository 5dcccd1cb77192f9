"""The completion: ends descriptors in order, and says what each is charged."""

from . import fetch as fetches
from . import jobs, write
from .base import ALWAYS, NEVER, fields, jit

COMPLETION = fields("number writing free charged_until")
"""Descriptors that ended; whether the last one's record is being written; when the next may be looked at;
the last cycle that is charged to a job that has ended, or to none as everything submitted had ended."""

RESULT = fields("completed compute wait_a wait_b wait_output fill drain")
"""Of one descriptor, when its completion is seen by the host, and its counters; zero if it is rejected."""


@jit
def set_up(completion, first_available):
    """Begin before the first descriptor."""
    completion.free = ALWAYS
    completion.charged_until = first_available - 1


@jit
def done(fetch, completion):
    """Whether every descriptor has ended, and its record is written."""
    return completion.number == fetch.count and not completion.writing


@jit
def next_end(setup, queue, fetch, completion, descriptors):
    """When the next descriptor's end is seen, as things stand."""
    number = completion.number
    if completion.writing or number >= fetch.dispatched:
        return NEVER
    valid = max(fetch.dispatched_at[number & fetches.RING - 1] + setup.queue, completion.free)
    if not descriptors[number].runs:
        return valid
    if queue.ended == queue.stored:
        return NEVER
    return max(valid, queue.ring[queue.ended & jobs.RING - 1].stored)


@jit
def close(setup, queue, writes, completion, descriptors, available, results, cycle):
    """A descriptor's end is seen in this cycle."""
    number = completion.number
    end = cycle
    if descriptors[number].runs:
        charged_until = _charge(queue, completion, results[number], cycle)
        end = max(cycle, charged_until + setup.counters)
    write.offer_record(writes, end + 1, fetches.slot(setup, number) + setup.record_bytes)
    completion.writing = True
    completion.number += 1
    if completion.number < len(available) and available[completion.number] > end + 1:
        completion.charged_until = available[completion.number] - 1


@jit
def _charge(queue, completion, result, cycle):
    """The job in charge has completed: what it is charged, and the last cycle of that."""
    job = queue.ring[queue.ended & jobs.RING - 1]
    queue.ended += 1
    end = cycle
    if queue.ended < queue.begun:
        # The next one may have been handed the charge already.
        end = min(end, queue.ring[queue.ended & jobs.RING - 1].begin)
    result.fill = job.begin - completion.charged_until
    result.compute = job.compute
    result.wait_a = job.wait_a
    result.wait_b = job.wait_b
    result.wait_output = job.wait_output
    until_drain = job.begin + job.compute + job.wait_a + job.wait_b + job.wait_output
    result.drain = end - until_drain
    completion.charged_until = end
    return end


@jit
def recorded(fetch, completion, results, sent, response):
    """The last beat of the record is sent and its response given in these cycles."""
    results[completion.number - 1].completed = response + 2
    fetches.release(fetch, sent + 1)
    completion.free = sent + 2
    completion.writing = False
