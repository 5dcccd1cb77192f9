"""The descriptors that are run, as the units' queues offer them."""

from typing import NamedTuple

import numpy as np

from .base import NEVER, fields, jit

JOB = fields("descriptor available begin stored before end compute wait_a wait_b wait_output")
"""One job: the index of its descriptor; when the units may accept it, the pass sequencer does, its results
are in memory, and its charge begins (exclusive) and ends; what its cycles are charged to."""

COUNTS = fields("dispatched begun stored ended")


class Jobs(NamedTuple):
    """How many have come how far, the jobs, and all descriptors of the queue."""

    counts: np.void
    table: np.ndarray
    descriptors: np.ndarray


def make_jobs(descriptors):
    """The jobs of a queue, none of them dispatched."""
    return Jobs(np.zeros(1, COUNTS)[0], np.zeros(len(descriptors), JOB), descriptors)


@jit
def dispatch(jobs, descriptor, cycle):
    """The units' queues offer a job from ``cycle`` on."""
    job = jobs.table[jobs.counts.dispatched]
    job.descriptor = descriptor
    job.available = cycle
    jobs.counts.dispatched += 1


@jit
def accept(jobs, number, ready):
    """When a unit accepts a job, from ``ready`` on; ``NEVER`` if it has not been dispatched."""
    return NEVER if number == jobs.counts.dispatched else max(ready, jobs.table[number].available)


@jit
def descriptor(jobs, number):
    """The descriptor of a job."""
    return jobs.descriptors[jobs.table[number].descriptor]
