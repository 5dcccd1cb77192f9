"""The descriptors that are run, as the units' queues offer them."""

from systolith_sim.cycles.setup import DESCRIPTOR

from .base import NEVER, fields, inlined, jit

RING = 16
"""Jobs that are remembered; more than can be in flight."""

JOB = fields("available begin stored compute wait_a wait_b wait_output", descriptor=DESCRIPTOR)
"""When the units may accept the job, the pass sequencer does, and its results are in memory; what its cycles
are charged to."""

JOBS = fields("dispatched begun stored ended", ring=(JOB, RING))
"""How many have come how far, and the latest."""


@jit
def dispatch(jobs, descriptor, cycle):
    """The units' queues offer a job from ``cycle`` on."""
    job = jobs.ring[jobs.dispatched & RING - 1]
    job.descriptor = descriptor
    job.available = cycle
    job.compute = job.wait_a = job.wait_b = job.wait_output = 0
    jobs.dispatched += 1


@inlined
def accept(jobs, number, ready):
    """When a unit accepts a job, from ``ready`` on; ``NEVER`` if it has not been dispatched."""
    return NEVER if number == jobs.dispatched else max(ready, jobs.ring[number & RING - 1].available)


@inlined
def descriptor(jobs, number):
    """The descriptor of a job."""
    return jobs.ring[number & RING - 1].descriptor
