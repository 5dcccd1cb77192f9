"""Queues: several products from shared operands, run as one."""

import dataclasses
import gc

import numpy as np
import pytest
from sw.oracle import gemm
from systolith import BusError, DescriptorRejected, PackedWeight, Queue, matmul, open_device

RNG = np.random.default_rng(0)


def random(*shape):
    return RNG.integers(-128, 128, shape, np.int8)


@pytest.fixture
def x():
    return random(32, 48)


def test_shared_activation(golden, x):
    """Q, K and V of one input: uploaded once, three descriptors, one submission."""
    weights = [random(40, 48) for _ in range(3)]
    packed = [PackedWeight(w, device=golden, b_layout="nk") for w in weights]
    with golden.queue() as queue:
        operand = queue.upload(x)
        results = [queue.matmul(operand, w, label=name) for w, name in zip(packed, "qkv", strict=True)]
    for result, w in zip(results, weights, strict=True):
        np.testing.assert_array_equal(result.result(), gemm(x, w, b_layout="nk"))
    assert [record.label for record in golden.trace] == ["q", "k", "v"]
    assert len({record.descriptors[0].a_address for record in golden.trace}) == 1


def test_attention(golden):
    """All heads as one descriptor, each way round, from operands filled in place."""
    q, k, v = random(4, 6, 16), random(4, 9, 16), random(4, 9, 16)
    p = random(4, 6, 9)
    with golden.queue() as queue:
        a, b = queue.empty(q.shape), queue.empty(k.shape)
        a.array[...] = q
        b.array[...] = k
        scores = queue.matmul(a, b, b_layout="nk")
        context = queue.matmul(p, v)
    np.testing.assert_array_equal(scores.view(), gemm(q, k, b_layout="nk"))
    np.testing.assert_array_equal(context.view(), gemm(p, v))
    assert [record.batch for record in golden.trace] == [4, 4]
    assert all(len(record.descriptors) == 1 for record in golden.trace)


def test_grouped_heads_are_folded(golden):
    """Queries that share a key head are rows of one product."""
    q, k = random(3, 4, 5, 16), random(3, 1, 7, 16)
    np.testing.assert_array_equal(
        matmul(q, k, device=golden, b_layout="nk"), gemm(q, np.broadcast_to(k, (3, 4, 7, 16)), b_layout="nk")
    )
    (record,) = golden.trace
    assert (record.batch, record.m, record.k, record.n) == (3, 20, 16, 7)


def test_view_is_device_memory(golden, x):
    with golden.queue() as queue:
        pending = queue.matmul(x, random(48, 8))
    assert np.shares_memory(pending.view(), golden.memory)
    assert not np.shares_memory(pending.result(), golden.memory)
    assert pending.shape == pending.view().shape == (32, 8)
    assert pending.dtype == np.int32


def test_results_outlive_later_queues(golden, x):
    w = random(48, 8)
    with golden.queue() as queue:
        first = queue.matmul(x, w)
    del queue
    gc.collect()
    for _ in range(3):
        matmul(random(32, 48), w, device=golden)
    np.testing.assert_array_equal(first.view(), gemm(x, w))


def test_memory_is_given_back(golden, x):
    w = random(48, 8)
    free = []
    for _ in range(6):
        with golden.queue() as queue:
            pending = [queue.matmul(x, w) for _ in range(50)]
        del queue, pending
        free.append(golden.free_bytes)
    assert len(set(free[1:])) == 1
    golden.allocate(golden.memory_bytes)  # idle workspaces make room


def test_queue_not_run(golden, x):
    queue = golden.queue()
    pending = queue.matmul(x, random(48, 8))
    with pytest.raises(RuntimeError, match=r"^the queue of this result has not run$"):
        pending.result()
    assert pending.record is None


def test_queue_left_by_exception(golden, x):
    def leave():
        with golden.queue() as queue:
            queue.matmul(x, random(48, 8))
            raise KeyError

    with pytest.raises(KeyError):
        leave()
    assert not golden.trace


def test_empty_queue(golden):
    with golden.queue():
        pass
    assert golden.wait() == []


def test_run_twice(golden, x):
    w = random(48, 8)
    queue = Queue(golden)
    first = queue.matmul(x, w)
    queue.run()
    second = queue.matmul(x, w)
    queue.run()
    np.testing.assert_array_equal(first.view(), second.view())
    assert len(golden.trace) == 2


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((3,), "operand must have at least 2 dimensions, not shape (3,)"),
        ((3, 0), "operand must not have a size of zero: its shape is (3, 0)"),
    ],
)
def test_empty_wrong_shape(golden, shape, message):
    with pytest.raises(ValueError) as info:
        golden.queue().empty(shape)
    assert str(info.value) == message


def test_failure_leaves_the_others(monkeypatch, x):
    """One product fails, the others' results can be had, and so can the next queue's."""
    w = random(48, 8)
    with open_device("golden", memory_bytes=1 << 20) as device:
        queue = device.queue()
        good, bad, late = (queue.matmul(x, w) for _ in range(3))
        outside = device.memory_bytes + 64
        (descriptor,) = bad.descriptors
        object.__setattr__(descriptor, "a_address", outside)
        with pytest.raises(BusError, match="the read at address 0x00100040 failed") as info:
            queue.run()
        assert len(info.value.completions) == 3
        np.testing.assert_array_equal(good.result(), gemm(x, w))
        np.testing.assert_array_equal(late.result(), gemm(x, w))
        with pytest.raises(BusError):
            bad.result()
        assert len(device.trace) == 2
        object.__setattr__(descriptor, "a_address", 1)
        queue = device.queue()
        queue._pending = [bad]
        bad.error = None
        with pytest.raises(DescriptorRejected, match="ALIGNMENT"):
            queue.run()


def test_operand_of_another_queue(golden, x):
    operand = golden.queue().upload(x)
    queue = golden.queue()
    with pytest.raises(ValueError, match=r"^a is an operand of another queue$"):
        queue.matmul(operand, random(48, 8))
    with pytest.raises(ValueError, match=r"^b is an operand of another queue$"):
        queue.matmul(x, operand, b_layout="nk")


def test_queue_beside_submitted_descriptors(golden, x):
    """What was submitted by hand is still there to be waited for."""
    matmul(x, x, device=golden, b_layout="nk")
    (descriptor,) = golden.trace[0].descriptors
    golden.submit([dataclasses.replace(descriptor, tag=7)])
    np.testing.assert_array_equal(matmul(x, x, device=golden, b_layout="nk"), gemm(x, x, b_layout="nk"))
    assert [completion.tag for completion in golden.wait()] == [7]


def test_too_large_runs_at_once(x):
    w = random(48, 300)
    with open_device("golden", memory_bytes=1 << 14) as device, device.queue() as queue:
        pending = queue.matmul(x, w)
        np.testing.assert_array_equal(pending.result(), gemm(x, w))
        assert pending.record is None
        assert len(device.trace) > 1
