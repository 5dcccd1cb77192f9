"""A pool of devices: what a device does, done by several, to the bit."""

import dataclasses
import gc
import os
import pathlib
import signal
import threading
import time

import numpy as np
import pytest
from sw.cases import CONFIGS
from sw.oracle import gemm, parameters
from systolith import (
    BusError,
    DescriptorRejected,
    DeviceClosed,
    DeviceError,
    NoProgress,
    OutOfDeviceMemory,
    PackedWeight,
    Pool,
    TargetUnavailable,
    UnknownTarget,
    matmul,
    open_device,
    open_pool,
)
from systolith_hw import BLayout, Code

CONFIG = CONFIGS["2x8-narrow"]
RNG = np.random.default_rng(7)


def random(*shape):
    return RNG.integers(-128, 128, shape, np.int8)


@pytest.fixture(scope="module")
def shared_golden():
    with open_pool("golden", CONFIG, workers=3, memory_bytes=1 << 22) as pool:
        yield pool


@pytest.fixture
def golden(shared_golden):
    yield shared_golden
    shared_golden.reset()
    shared_golden.trace.clear()


@pytest.fixture(scope="module")
def shared_rtl():
    with open_pool("rtl", CONFIG, workers=2, memory_bytes=1 << 22) as pool:
        yield pool


@pytest.fixture
def rtl(shared_rtl):
    yield shared_rtl
    shared_rtl.trace.clear()


PRODUCTS = [
    ((33, 40), (40, 24), {}),
    ((1, 70), (300, 70), {"b_layout": "nk"}),
    ((5, 9, 16), (5, 16, 11), {"relu": True}),
    ((2, 3, 8, 20), (2, 1, 20, 30), {"bias": np.arange(30, dtype=np.int32) * 99 - 999}),
    ((64, 24), (24, 40), {"out": "int8", "multiplier": 77, "shift": 15, "bias": 5}),
    ((3, 1000), (1000, 5), {}),  # more than the A buffer holds
    ((1, 1), (1, 1), {}),
]


@pytest.mark.parametrize("pool", ["golden", "rtl"])
def test_exact(pool, request):
    """Each product alone, cut over the devices where that is worth it, and all in one queue."""
    pool = request.getfixturevalue(pool)
    products = [(random(*a), random(*b), options) for a, b, options in PRODUCTS]
    wanted = [gemm(a, b, **options) for a, b, options in products]
    for (a, b, options), right in zip(products, wanted, strict=True):
        np.testing.assert_array_equal(matmul(a, b, device=pool, **options), right)
    with pool.queue() as queue:
        pending = [queue.matmul(a, b, **options) for a, b, options in products]
    for each, right in zip(pending, wanted, strict=True):
        np.testing.assert_array_equal(each.result(), right)
    assert {1, len(pool.workers)} <= {len(record.shares) for record in pool.trace}


def test_cycles(rtl):
    """A cut product's cycles are told by device, and half of them is what it took; nothing is lost."""
    a, b = random(64, 64), random(64, 64)
    with open_device("rtl", CONFIG, memory_bytes=1 << 20) as device:
        matmul(a, b, device=device)
        alone = device.trace.cycles
    assert alone == device.trace.makespan_cycles
    assert device.trace.device_cycles == {0: alone}
    for _ in range(2):
        matmul(a, b, device=rtl)
    for number, record in enumerate(rtl.trace, rtl.trace[0].shares[0].run):
        assert [share[:2] for share in record.shares] == [(number, 0), (number, 1)]
        assert record.cycles == sum(share.cycles for share in record.shares)
        assert record.cycles == sum(record.counters.parts.values())
        assert record.target == "rtl"
        assert len(record.descriptors) == 1
    trace = rtl.trace
    assert trace.device_cycles == {
        device: sum(record.shares[device].cycles for record in trace) for device in (0, 1)
    }
    assert trace.cycles == sum(trace.device_cycles.values())
    assert trace.makespan_cycles == sum(max(share.cycles for share in record.shares) for record in trace)
    assert 1.7 * trace.makespan_cycles < 2 * alone


def test_seconds(rtl):
    """The devices work at the same time: together their products take no longer than the run does."""
    products = [(random(32, 32), random(32, 32)) for _ in range(8)]
    start = time.perf_counter()
    with rtl.queue() as queue:
        for a, b in products:
            queue.matmul(a, b)
    elapsed = time.perf_counter() - start
    assert 0 < rtl.trace.seconds < elapsed
    assert all(record.seconds > 0 for record in rtl.trace)


def test_cycles_are_those_of_a_device_alone(rtl):
    """What a device of the pool runs takes the cycles that it takes elsewhere, to the cycle."""
    products = [(random(32, 32), random(32, 32)) for _ in range(4)]
    with open_device("rtl", CONFIG, memory_bytes=1 << 20) as device:
        with device.queue() as queue:
            for a, b in products[:2]:
                queue.matmul(a, b)
        alone = device.trace.cycles
    with rtl.queue() as queue:
        for a, b in products:
            queue.matmul(a, b)
    assert rtl.trace.device_cycles == {0: alone, 1: alone}
    assert rtl.trace.makespan_cycles == alone


@pytest.mark.slow
def test_cycles_of_the_model(rtl):
    """Devices of target model take the cycles of those of target rtl, device by device."""
    products = [(random(m, k), random(k, n)) for m, k, n in ((64, 64, 64), (33, 70, 20), (1, 100, 300))]
    shares = []
    with open_pool("model", CONFIG, workers=2, memory_bytes=1 << 20) as model:
        for pool in (rtl, model):
            for _ in range(2):
                with pool.queue() as queue:
                    pending = [queue.matmul(a, b) for a, b in products]
                for (a, b), each in zip(products, pending, strict=True):
                    np.testing.assert_array_equal(each.result(), gemm(a, b))
            shares.append([[share[1:] for share in record.shares] for record in pool.trace])
    assert shares[0] == shares[1]
    assert {len(record.shares) for record in rtl.trace} == {1, 2}


def test_packed_weight(rtl):
    """Packed once, used by all devices, also by new ones."""
    b, bias = random(48, 40), RNG.integers(-1000, 1000, 40, np.int32)
    products = [random(9, 48) for _ in range(4)]
    with PackedWeight(b, device=rtl, bias=bias) as weight:
        for _ in range(2):
            with rtl.queue() as queue:
                pending = [queue.matmul(a, weight) for a in products]
            for a, each in zip(products, pending, strict=True):
                np.testing.assert_array_equal(each.result(), gemm(a, b, bias=bias))
            assert {share.device for record in rtl.trace for share in record.shares} == {0, 1}
            rtl.restart(0)


def test_memory_is_shared(golden):
    """By hand: what the parent writes the workers read, and the other way round, without a copy."""
    a, b = random(6, 8), random(8, 8)
    buffers = [golden.allocate(256) for _ in range(4)]
    golden.write(buffers[0].address, a)
    golden.write(buffers[1].address, b)
    records = parameters([1] * 8, [2] * 8, [0] * 8)
    golden.write(buffers[3].address, records)
    descriptor = matmul_descriptor(golden, a, b)
    descriptor = dataclasses.replace(
        descriptor,
        a_address=buffers[0].address,
        b_address=buffers[1].address,
        d_address=buffers[2].address,
        parameter_address=buffers[3].address,
        parameters=True,
        tag=9,
    )
    assert list(golden.submit([descriptor])) == [golden._submitted - 1]
    (completion,) = golden.wait()
    assert (completion.code, completion.tag, completion.counters) == (Code.OK, 9, None)
    result = golden.read(buffers[2].address, 6 * 32).view("<i4").reshape(6, 8)
    np.testing.assert_array_equal(result, gemm(a, b, bias=np.ones(8, np.int32)))
    for buffer in buffers:
        golden.free(buffer)


def matmul_descriptor(device, a, b):
    """The descriptor of a product that has been run."""
    with device.tracing() as trace:
        matmul(a, b, device=device)
    return trace[0].descriptors[0]


def test_too_large_runs_in_parts():
    with open_pool("golden", CONFIG, workers=2, memory_bytes=1 << 14) as pool:
        a, b = random(40, 48), random(48, 300)
        np.testing.assert_array_equal(matmul(a, b, device=pool), gemm(a, b))
        assert len(pool.trace) > 1
        assert pool.trace.cycles is pool.trace.makespan_cycles is pool.trace.device_cycles is None
        a, b = random(1, 20_000), random(20_000, 1)
        np.testing.assert_array_equal(matmul(a, b, device=pool), gemm(a, b))
        while pool.idle_workspaces:
            pool.idle_workspaces.pop().release()
        pool.allocate(pool.largest_free_bytes)
        with pytest.raises(OutOfDeviceMemory):
            matmul(a, b, device=pool)


def test_long_queue(golden):
    """More descriptors than one read of the socket takes."""
    a, b = random(3, 5), random(5, 7)
    with golden.queue() as queue:
        pending = [queue.matmul(a, b) for _ in range(4000)]
    right = gemm(a, b)
    assert all(np.array_equal(each.view(), right) for each in pending)


def test_rejected(golden):
    descriptor = matmul_descriptor(golden, random(64, 8), random(8, 8))
    bad = dataclasses.replace(descriptor, m_block=500)
    golden.submit([descriptor, bad, descriptor])
    with pytest.raises(DescriptorRejected, match="CAPACITY") as info:
        golden.wait()
    assert [each.code for each in info.value.completions] == [Code.OK, Code.REJECTED, Code.OK]


def test_bus_error(golden):
    """One of a product's parts fails, in one worker: the product fails, and no other."""
    queue = golden.queue()
    good, bad, late = (queue.matmul(random(80, 8), random(8, 8)) for _ in range(3))
    (descriptor,) = bad.descriptors
    outside = golden.memory_bytes - 41 * descriptor.a_stride
    object.__setattr__(descriptor, "a_address", outside)
    with pytest.raises(BusError, match=r"the read at address 0x00400000 failed"):
        queue.run()
    assert good.result().shape == late.result().shape == (80, 8)
    with pytest.raises(BusError):
        bad.result()


def test_device_error_comes_from_the_worker():
    """The device's own error, with its message; nothing else is lost, and the device works again."""
    with open_pool("rtl", CONFIG, workers=2, memory_bytes=1 << 20, max_cycles=2000) as pool:
        long, short = (random(64, 64), random(64, 64)), (random(4, 8), random(8, 8))
        descriptors = [matmul_descriptor(pool, *short)]
        queue = pool.queue()
        stuck = queue.matmul(*long)
        fine = queue.matmul(*short)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("systolith.pool.schedule.LEAST_GAIN", 0.9)  # nothing is cut
            with pytest.raises(NoProgress, match="no interrupt within 2000 cycles; ring_head is") as info:
                queue.run()
        with pytest.raises(NoProgress):
            stuck.result()
        np.testing.assert_array_equal(fine.result(), gemm(*short))
        assert [each.code for each in info.value.completions] == [Code.PENDING, Code.OK]
        assert all(worker.alive for worker in pool.workers)
        pool.submit(descriptors * 4)
        assert [each.code for each in pool.wait()] == [Code.OK] * 4


def test_interrupted(rtl):
    """Ctrl-C ends what runs; packed weights stay, and the pool is ready for more."""
    b = random(64, 64)
    weight = PackedWeight(b, device=rtl)
    pids = [worker.pid for worker in rtl.workers]
    os.kill(pids[1], signal.SIGSTOP)
    timer = threading.Timer(0.2, os.kill, [os.getpid(), signal.SIGINT])
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        matmul(random(64, 64), weight)
    timer.join()
    a = random(10, 64)
    np.testing.assert_array_equal(matmul(a, weight), gemm(a, b))
    assert rtl.workers[1].pid != pids[1]
    weight.free()


def test_interrupted_by_hand(golden):
    """Without a queue the pool is reset by whoever interrupted it."""
    descriptor = matmul_descriptor(golden, random(9, 9), random(9, 9))
    golden.submit([descriptor])
    golden.workers[0].begin(b"", 1)
    with pytest.raises(DeviceError, match=r"^the pool was interrupted; reset it first$"):
        golden.submit([descriptor])
    golden.reset()
    assert golden.wait() == []
    golden.submit([descriptor])
    assert len(golden.wait()) == 1


def test_interrupted_wait(golden):
    """It does not pass for one after which everything has ended."""
    descriptor = matmul_descriptor(golden, random(9, 9), random(9, 9))
    golden.submit([descriptor])
    for worker in golden.workers:
        os.kill(worker.pid, signal.SIGSTOP)
    timer = threading.Timer(0.2, os.kill, [os.getpid(), signal.SIGINT])
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        golden.wait()
    timer.join()
    with pytest.raises(DeviceError, match=r"^the pool was interrupted; reset it first$"):
        golden.wait()
    golden.reset()
    assert golden.wait() == []


def test_interrupted_before_anything_ran(golden, monkeypatch):
    """What was submitted is still there to be waited for."""
    golden.submit([matmul_descriptor(golden, random(9, 9), random(9, 9))])

    def interrupted(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("systolith.pool.pool.plan", interrupted)
        with pytest.raises(KeyboardInterrupt):
            golden.wait()
    assert [completion.code for completion in golden.wait()] == [Code.OK]
    assert golden.wait() == []


def test_close_and_open_again():
    for _ in range(2):
        pool = open_pool("golden", CONFIG, workers=2, memory_bytes=1 << 20)
        a, b = random(9, 9), random(9, 9)
        np.testing.assert_array_equal(matmul(a, b, device=pool), gemm(a, b))
        pids = [worker.pid for worker in pool.workers]
        pool.close()
        pool.close()
        assert not any(pathlib.Path(f"/proc/{pid}").exists() for pid in pids)
        with pytest.raises(DeviceClosed, match=r"^the golden device is closed$"):
            matmul(a, b, device=pool)
        with pytest.raises(DeviceClosed):
            pool.restart(0)


def test_forgotten_pool_ends_its_workers():
    gc.collect()  # What earlier tests left is not the pool's.
    pool = open_pool("golden", CONFIG, workers=2, memory_bytes=1 << 20)
    pids = [worker.pid for worker in pool.workers]
    descriptors = len(list(pathlib.Path("/proc/self/fd").iterdir()))
    del pool
    gc.collect()
    assert not any(pathlib.Path(f"/proc/{pid}").exists() for pid in pids)
    # Two sockets, and the memory's, once for the mapping.
    assert len(list(pathlib.Path("/proc/self/fd").iterdir())) == descriptors - 4


def test_repr(golden):
    assert isinstance(golden, Pool)
    assert repr(golden) == (f"<pool of 3 golden devices {CONFIG}: 3 alive, {golden.free_bytes} bytes free>")
    worker = golden.workers[1]
    assert repr(worker) == f"<worker 1, process {worker.pid}: idle>"


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"workers": 0}, ValueError, "workers must be a positive int, not 0"),
        ({"workers": 2.0}, ValueError, "workers must be a positive int, not 2.0"),
        ({"target": "nowhere"}, UnknownTarget, "target must be one of "),
        ({"config": 3}, TypeError, "config must be an ArrayConfig, not 3"),
        ({"ring_slots": 3}, ValueError, "ring_slots must be a power of two from 1 to 2048, not 3"),
        ({"slots": 3}, TypeError, "target rtl has the options "),
        ({"target": "golden", "memory": np.zeros(4096, np.uint8)}, TypeError, "a pool makes its own memory"),
        ({"memory_bytes": 4096, "ring_slots": 64}, OutOfDeviceMemory, "out of device memory"),
    ],
)
def test_open_wrong(options, error, message):
    given = {"target": "rtl", "config": CONFIG, "memory_bytes": 1 << 20} | options
    with pytest.raises(error) as info:
        open_pool(**given)
    assert str(info.value).startswith(message)


def test_restart_wrong(golden):
    with pytest.raises(IndexError, match=r"^the pool has the workers 0 to 2, not 3$"):
        golden.restart(3)


def test_worker_cannot_open(monkeypatch):
    """What a worker's device cannot be opened for is the error of opening the pool."""
    monkeypatch.setattr("systolith.pool.pool.open_device", lambda *args, **options: open_device("golden"))
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("SYSTOLITH_CACHE", "/proc/nowhere")
    with pytest.raises(TargetUnavailable, match=r"^target rtl: "):
        open_pool("rtl", CONFIG)


def test_layout_of_results(golden):
    """A view is device memory, as on any device whose memory the host can see."""
    queue = golden.queue()
    pending = queue.matmul(random(8, 8), random(8, 8), b_layout="nk")
    queue.run()
    assert np.shares_memory(pending.view(), golden.memory)
    assert pending.record.b_layout is BLayout.NK
