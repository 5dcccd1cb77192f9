"""The allocator."""

import gc
import re

import numpy as np
import pytest
from hypothesis import strategies as st
from sw.cases import check_property
from systolith import Buffer, OutOfDeviceMemory, PackedWeight
from systolith.memory import Allocator, round_up


def test_round_up():
    assert [round_up(value, 8) for value in (0, 1, 8, 9)] == [0, 8, 8, 16]


def test_init_unaligned_base():
    allocator = Allocator(100, 200, 64)
    assert allocator.free_bytes == 128
    assert allocator.allocate(1) == Buffer(128, 64)


def test_init_too_small():
    assert Allocator(1, 60, 64).free_bytes == 0


def test_allocate_aligned():
    allocator = Allocator(64, 1 << 16, 64)
    assert allocator.allocate(10, 4096) == Buffer(4096, 64)
    assert allocator.allocate(10) == Buffer(64, 64)
    assert allocator.free_bytes == (1 << 16) - 128


@pytest.mark.parametrize("nbytes", [0, -1])
def test_allocate_wrong_size(nbytes):
    with pytest.raises(ValueError, match=f"^an allocation must have at least 1 byte, not {nbytes}$"):
        Allocator(0, 1024, 64).allocate(nbytes)


def test_allocate_too_much():
    allocator = Allocator(0, 1024, 64)
    middle = [allocator.allocate(256) for _ in range(3)][1]
    allocator.free(middle)
    message = (
        "out of device memory: 300 bytes were asked for; 512 of 1024 bytes are free, "
        "the largest block has 256"
    )
    with pytest.raises(OutOfDeviceMemory, match=f"^{re.escape(message)}$") as info:
        allocator.allocate(300)
    assert (info.value.wanted_bytes, info.value.free_bytes) == (300, 512)


def test_free_twice():
    allocator = Allocator(0, 1024, 64)
    buffer = allocator.allocate(100)
    allocator.free(buffer)
    with pytest.raises(ValueError, match=r"^no buffer of 128 bytes is allocated at 0x00000000$"):
        allocator.free(buffer)


def check_random_use(steps):
    base, size, granularity = 0x1000, 1 << 14, 64
    allocator = Allocator(base, size, granularity)
    live = {}
    for nbytes, alignment, index in steps:
        if nbytes:
            try:
                buffer = allocator.allocate(nbytes, alignment)
            except OutOfDeviceMemory:
                assert allocator.largest_free_bytes < nbytes + max(alignment, granularity)
                continue
            assert buffer.size >= nbytes
            assert buffer.address % max(alignment, granularity) == 0
            assert base <= buffer.address < buffer.address + buffer.size <= base + size
            for other in live.values():
                disjoint = (
                    other.address + other.size <= buffer.address
                    or buffer.address + buffer.size <= other.address
                )
                assert disjoint
            live[buffer.address] = buffer
        elif live:
            allocator.free(live.pop(sorted(live)[index % len(live)]))
        assert allocator.free_bytes == size - sum(buffer.size for buffer in live.values())
    for buffer in live.values():
        allocator.free(buffer)
    assert allocator.free_bytes == allocator.largest_free_bytes == size


def test_random_use():
    step = st.tuples(
        st.one_of(st.just(0), st.integers(1, 3000)),
        st.sampled_from([1, 64, 128, 1024]),
        st.integers(0, 100),
    )
    check_property(check_random_use, st.lists(step, max_size=60), examples=150)


def test_give_back():
    allocator = Allocator(0, 1024, 64)
    for free in ("free_bytes", "largest_free_bytes"):
        allocator.give_back(allocator.allocate(1024))
        assert getattr(allocator, free) == 1024
    low, high = allocator.allocate(512), allocator.allocate(512)
    allocator.give_back(low)
    allocator.free(high)
    assert allocator.allocate(1024) == Buffer(0, 1024)


def test_give_back_twice():
    allocator = Allocator(0, 1024, 64)
    buffer = allocator.allocate(100)
    allocator.give_back(buffer)
    allocator.give_back(buffer)
    with pytest.raises(ValueError, match=r"^no buffer of 128 bytes is allocated at 0x00000000$"):
        allocator.allocate(100)


@pytest.mark.parametrize("call", range(4))
@pytest.mark.parametrize("holder", ["weight", "queue"])
def test_collected_within_an_allocation(golden, monkeypatch, holder, call):
    """Wherever the garbage collector strikes, what it ends gives its memory back, and no other's."""
    keep = [golden.allocate(1 << 10) for _ in range(3)]
    if holder == "weight":
        held = [PackedWeight(np.zeros((8, 64), np.int8), device=golden)]
    else:
        held = [golden.queue()]
        for _ in range(3):  # Several buffers: more than a workspace keeps.
            held.append(held[0].empty((1, 1 << 16)))
    keep.append(golden.allocate(1 << 10))
    calls = iter(range(100))

    def interrupted(value, multiple):
        if next(calls) == call:
            held.clear()
            gc.collect()
        return round_up(value, multiple)

    with monkeypatch.context() as patch:
        patch.setattr("systolith.memory.round_up", interrupted)
        late = [golden.allocate(64) for _ in range(3)]
    assert not held
    for index, buffer in enumerate(late + keep):
        golden.write(buffer.address, np.full(buffer.size, index, np.uint8))
    for index, buffer in enumerate(late + keep):
        assert (golden.read(buffer.address, buffer.size) == index).all()
        golden.free(buffer)
    golden.allocate(golden.memory_bytes)
