"""The work that every simulation gets."""

import numpy as np
import pytest
from systolith_hw import ArrayConfig, Completion, Descriptor
from systolith_hw.descriptor import Code
from systolith_sim.peers.job import Job, Stopwatch

CONFIG = ArrayConfig.parse("2x2-axi64-a64-b64-acc16")


def descriptors(job):
    """As they lie in the ring, which is first in memory."""
    return [Descriptor.unpack(job.image[128 * i :][:64].tobytes()) for i in range(job.count)]


def solved(job):
    """Memory as a device would leave it."""
    memory = job.image.copy()
    for index, d in enumerate(descriptors(job)):
        a = np.ndarray((d.m, d.k), np.int8, memory, d.a_address, (d.a_stride, 1)).astype(int)
        b = np.ndarray((d.n, d.k), np.int8, memory, d.b_address, (d.b_stride, 1)).astype(int)
        np.ndarray((d.m, d.n), "<i4", memory, d.d_address, (d.d_stride, 4))[...] = a @ b.T
        record = Completion.unpack(memory[128 * index + 64 :][:64].tobytes())
        assert record.code == Code.PENDING
        memory[128 * index + 64] = Code.OK
    return memory


def outcome(job, memory):
    with Stopwatch() as stopwatch:
        pass
    return job.outcome(memory, cycles=100, stopwatch=stopwatch)


def test_job():
    job = Job(CONFIG, m=3, k=10, n=5, count=3, seed=1)
    assert len(job.image) % 4096 == 0
    queue = descriptors(job)
    assert [d.interrupt for d in queue] == [False, False, True]
    assert [d.check(CONFIG) for d in queue] == [0, 0, 0]
    places = [d.d_address for d in queue] + [d.a_address for d in queue] + [queue[0].b_address]
    assert len(set(places)) == 7
    assert job.writes[-1][1] == 3
    assert outcome(job, solved(job)).mismatches == 0


@pytest.mark.parametrize("index", [0, 2])
def test_outcome_counts_mismatches(index):
    job = Job(CONFIG, m=3, k=10, n=5, count=3, seed=1)
    memory = solved(job)
    d = descriptors(job)[index]
    memory[d.d_address + 2 * d.d_stride + 4 * 4] ^= 1
    assert outcome(job, memory).mismatches == 1
    memory[128 * index + 64] = Code.READ_ERROR
    assert outcome(job, memory).mismatches == 2


def test_outcome_of_nothing():
    job = Job(CONFIG, m=3, k=10, n=5)
    assert outcome(job, job.image).mismatches == 3 * 5 + 1


def test_stopwatch():
    with Stopwatch() as stopwatch:
        sum(range(1_000_000))
    assert 0 < stopwatch.cpu_seconds <= stopwatch.wall_seconds * 1.5
