"""Queues: several products from shared operands, run as one."""

import dataclasses
import gc

import numpy as np
import pytest
from sw.oracle import gemm
from systolith import (
    BusError,
    DescriptorRejected,
    OutOfDeviceMemory,
    PackedWeight,
    Queue,
    matmul,
    open_device,
)

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


@pytest.fixture
def no_garbage_collection():
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("columns", [8, 300])
@pytest.mark.usefixtures("no_garbage_collection")
def test_failure_gives_memory_back(monkeypatch, small, x, columns):
    """At once, whole or in parts, though what was raised refers to all that was run."""
    w = random(48, columns)
    matmul(x, w, device=small)
    before = small.free_bytes, len(small.idle_workspaces)
    monkeypatch.setattr(small, "_fault", lambda *operand: 0x40)
    for _ in range(2):
        with pytest.raises(BusError, match=r"^bus error: the read at address 0x00000040 failed$"):
            matmul(x, w, device=small)
    assert (small.free_bytes, len(small.idle_workspaces)) == before
    queue = small.queue()
    pending = queue.matmul(x, w)
    with pytest.raises(BusError):
        queue.run()
    with pytest.raises(BusError):
        pending.result()
    del queue, pending
    assert (small.free_bytes, len(small.idle_workspaces)) == before


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


@pytest.fixture
def small():
    """A device that holds few matrices at a time."""
    with open_device("golden", memory_bytes=1 << 14) as device:
        yield device


def test_too_large_runs_in_parts(small, x):
    w = random(48, 300)
    with small.queue() as queue:
        pending = queue.matmul(x, w)
        assert (pending.shape, pending.dtype) == ((32, 300), np.int32)
        with pytest.raises(RuntimeError, match=r"^the queue of this result has not run$"):
            pending.result()
        assert not small.trace
    np.testing.assert_array_equal(pending.result(), gemm(x, w))
    assert pending.record is None
    assert len(small.trace) > 1


def test_too_large_reads_operands_when_it_runs(small):
    """Operands are read as the queue runs, arrays as they are given: as for products that fit."""
    x, w = random(20, 48), random(48, 300)
    given = w.copy()
    with small.queue() as queue:
        operand = queue.empty(x.shape)
        pending = queue.matmul(operand, given)
        fits = queue.matmul(operand, x, b_layout="nk")
        operand.array[...] = x
        given[...] = 0
    np.testing.assert_array_equal(pending.result(), gemm(x, w))
    np.testing.assert_array_equal(fits.result(), gemm(x, x, b_layout="nk"))


@pytest.mark.parametrize("columns", [16, 90])
def test_operand_larger_than_its_share(small, columns):
    """It gets its place with the first product that fits, and products that do not are run in parts."""
    x, w, narrow = random(90, 48), random(columns, 48), random(2, 48)
    queue = small.queue()
    operand = queue.upload(x)
    assert operand.address is None
    first = queue.matmul(operand, w, b_layout="nk")
    second = queue.matmul(operand, narrow, b_layout="nk")
    third = queue.matmul(narrow, operand, b_layout="nk")
    assert (first.descriptors == ()) == (columns == 90)
    assert second.descriptors and operand.address is not None
    queue.run()
    for pending, a, b in ((first, x, w), (second, x, narrow), (third, narrow, x)):
        np.testing.assert_array_equal(pending.result(), gemm(a, b, b_layout="nk"))


def test_operand_with_itself(small):
    x = random(60, 48)
    with small.queue() as queue:
        operand = queue.upload(x)
        pending = queue.matmul(operand, operand, b_layout="nk")
    np.testing.assert_array_equal(pending.result(), gemm(x, x, b_layout="nk"))


def test_operand_larger_than_memory(small):
    x, w = random(700, 48), random(48, 3)
    with small.queue() as queue:
        operand = queue.empty(x.shape)
        pending = queue.matmul(operand, w)
        operand.array[...] = x
    np.testing.assert_array_equal(pending.result(), gemm(x, w))


@pytest.mark.parametrize("rows", [8, 400])
def test_weight_freed_while_queued(small, rows):
    """Its memory stays until the queue has run."""
    a, w = random(rows, 24), random(24, 16)
    weight = PackedWeight(w, device=small, bias=3)
    held = small.free_bytes
    queue = small.queue()
    pending = queue.matmul(a, weight)
    weight.free()
    assert weight.freed
    with pytest.raises(ValueError, match=r"^the packed weight has been freed$"):
        queue.matmul(a, weight)
    other = PackedWeight(random(24, 16), device=small)
    queue.run()
    np.testing.assert_array_equal(pending.result(), gemm(a, w, bias=3))
    other.free()
    del queue, pending
    gc.collect()
    while small.idle_workspaces:
        small.idle_workspaces.pop().release()
    assert small.free_bytes > held


@pytest.mark.parametrize("rows", [8, 400])
def test_weight_freed_while_queued_in_vain(small, rows):
    """A queue that is dropped gives the memory back too."""
    before = small.free_bytes
    weight = PackedWeight(random(24, 16), device=small)
    queue = small.queue()
    queue.matmul(random(rows, 24), weight)
    weight.free()
    del queue
    gc.collect()
    small.idle_workspaces.pop().release()
    assert small.free_bytes == before


def test_memory_exhausted_leaves_the_others(small):
    """One clear error; what fits has run."""
    a = random(8, 24)
    queue = small.queue()
    good = queue.matmul(a, a, b_layout="nk")
    small.allocate(small.largest_free_bytes)
    bad = queue.matmul(random(1, 20_000), random(20_000, 1))
    with pytest.raises(OutOfDeviceMemory, match=r"^out of device memory: \d+ bytes were asked for; ") as info:
        queue.run()
    assert info.value.__context__ is None
    assert str(info.value) == str(bad.error)
    with pytest.raises(OutOfDeviceMemory):
        bad.result()
    np.testing.assert_array_equal(good.result(), gemm(a, a, b_layout="nk"))
