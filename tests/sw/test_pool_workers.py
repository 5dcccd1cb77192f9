"""The processes of a pool: how they end, what is told then, and that none outlives its pool."""

import contextlib
import gc
import os
import pathlib
import pickle
import resource
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from sw.cases import CONFIGS
from sw.oracle import gemm
from systolith import (
    BusError,
    ConfigurationMismatch,
    DescriptorRejected,
    DeviceError,
    OutOfDeviceMemory,
    WorkerDied,
    matmul,
    open_pool,
)
from systolith.pool.channel import frame
from systolith_hw import Code, Descriptor, Reject

CONFIG = CONFIGS["2x8-narrow"]
RNG = np.random.default_rng(5)
SECONDS = 20
"""Until something that must happen counts as not happening."""


_ADDRESSES = ("a_address", "b_address", "d_address", "a_stride", "b_stride", "d_stride")


def random(*shape):
    return RNG.integers(-128, 128, shape, np.int8)


@pytest.fixture(params=["golden", "rtl"])
def pool(request):
    with open_pool(request.param, CONFIG, workers=2, memory_bytes=1 << 20) as pool:
        yield pool


def open_descriptors():
    gc.collect()
    return len(list(pathlib.Path("/proc/self/fd").iterdir()))


def kill_while_it_runs(worker, number):
    """A signal that ends a worker between being given work and having done it; the thread that sends it."""
    os.kill(worker.pid, signal.SIGSTOP)

    def end():
        while not worker.busy:
            time.sleep(0.01)
        os.kill(worker.pid, number)
        os.kill(worker.pid, signal.SIGCONT)

    thread = threading.Thread(target=end)
    thread.start()
    return thread


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_killed(pool, number):
    """What it ran fails and says why; the rest is there, more can be run, and the worker be started again."""
    products = [(random(16, 32), random(32, 16)) for _ in range(4)]
    pid = pool.workers[1].pid
    thread = kill_while_it_runs(pool.workers[1], number)
    queue = pool.queue()
    pending = [queue.matmul(a, b) for a, b in products]
    with pytest.raises(WorkerDied) as info:
        queue.run()
    thread.join()
    hint = " (is the system short of memory?)" if number is signal.SIGKILL else ""
    assert str(info.value) == (
        f"worker 1 of the pool, process {pid}, was killed by {number.name}{hint}; 2 GEMMs that it had been "
        "given are lost, and it gets no more until restart(1) or reset()"
    )
    assert (info.value.index, info.value.returncode, info.value.lost) == (1, -number, 2)
    codes = [completion.code for completion in info.value.completions]
    assert sorted(codes) == [Code.PENDING] * 2 + [Code.OK] * 2
    for (a, b), each, code in zip(products, pending, codes, strict=True):
        if code is Code.OK:
            np.testing.assert_array_equal(each.result(), gemm(a, b))
        else:
            with pytest.raises(WorkerDied):
                each.result()
    assert len(pool.trace) == 2

    assert [worker.alive for worker in pool.workers] == [True, False]
    assert repr(pool.workers[1]).endswith("dead>")
    a, b = products[0]
    np.testing.assert_array_equal(matmul(a, b, device=pool), gemm(a, b))
    assert {share.device for share in pool.trace[-1].shares} == {0}
    pool.restart(1)
    with pool.queue() as queue:
        pending = [queue.matmul(a, b) for a, b in products]
    for (a, b), each in zip(products, pending, strict=True):
        np.testing.assert_array_equal(each.result(), gemm(a, b))
    assert {share.device for record in pool.trace[-4:] for share in record.shares} == {0, 1}


def test_killed_while_idle(pool):
    """It is told by what runs next, and by that only."""
    a, b = random(64, 64), random(64, 64)
    pool.workers[0]._process.kill()
    pool.workers[0]._process.wait()
    with pytest.raises(WorkerDied, match=r"^worker 0 .* the GEMM that it had been given is lost"):
        matmul(a, b, device=pool)
    np.testing.assert_array_equal(matmul(a, b, device=pool), gemm(a, b))
    pool.reset()
    assert all(worker.alive for worker in pool.workers)
    np.testing.assert_array_equal(matmul(a, b, device=pool), gemm(a, b))
    assert len(pool.trace[-1].shares) == 2


def test_killed_gives_memory_back():
    """At once, so that the product can be tried again, also after a death before the device was open."""
    a = random(64, 64)
    gc.collect()
    gc.disable()
    try:
        with open_pool("golden", CONFIG, workers=2, memory_bytes=1 << 17) as pool:
            matmul(a, a, device=pool)
            before = pool.free_bytes, len(pool.idle_workspaces)
            for start_again in (lambda: pool.restart(0), pool.reset, pool.reset):
                pool.workers[0]._process.kill()
                with pytest.raises(WorkerDied):
                    matmul(a, a, device=pool)
                start_again()
                assert (pool.free_bytes, len(pool.idle_workspaces)) == before
    finally:
        gc.enable()


def test_all_killed(pool):
    for worker in pool.workers:
        worker._process.kill()
    a, b = random(64, 64), random(64, 64)
    with pytest.raises(WorkerDied):
        matmul(a, b, device=pool)
    with pytest.raises(DeviceError, match=r"^no worker of the pool is alive: reset\(\) starts them again$"):
        pool.execute(pool.queue().matmul(a, b).descriptors)
    pool.reset()
    np.testing.assert_array_equal(matmul(a, b, device=pool), gemm(a, b))


def test_not_started(monkeypatch):
    """A process that ends before its device is open."""
    monkeypatch.setattr("sys.executable", "/bin/false")
    with pytest.raises(WorkerDied, match=r"^worker 0 .* ended with exit code 1 before it was ready$"):
        open_pool("golden", CONFIG, workers=2, memory_bytes=1 << 20)


def test_start_refused(monkeypatch):
    """No descriptor is left open; a worker that could not be started again is dead, and can be later."""
    before = open_descriptors()
    with open_pool("golden", CONFIG, workers=2, memory_bytes=1 << 20) as pool:
        opened = open_descriptors()
        refused = r"^worker {} of the pool cannot be started: \[Errno 2\] .*: '/nowhere'$"
        with monkeypatch.context() as patch:
            patch.setattr("sys.executable", "/nowhere")
            with pytest.raises(DeviceError, match=refused.format(0)):
                open_pool("golden", CONFIG, workers=2, memory_bytes=1 << 20)
            assert open_descriptors() == opened
            for _ in range(2):
                with pytest.raises(DeviceError, match=refused.format(1)):
                    pool.restart(1)
        assert [worker.alive for worker in pool.workers] == [True, False]
        pool.restart(1)
        a = random(64, 64)
        np.testing.assert_array_equal(matmul(a, a, device=pool), gemm(a, a))
        assert len(pool.trace[-1].shares) == 2
        assert open_descriptors() == opened
    del pool
    assert open_descriptors() == before


def test_memory_refused():
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, before[1]))
    try:
        with pytest.raises(DeviceError, match=r"^the pool gets no memory of 4096 bytes: \[Errno 24\] "):
            open_pool("golden", CONFIG, memory_bytes=4096)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_crashed(capfd):
    """What a worker cannot go on with is on stderr, and its exit code is told."""
    with open_pool("golden", CONFIG, workers=2, memory_bytes=1 << 20) as pool:
        pool.workers[1].begin(frame(b"no descriptor"), 1)
        ended, error = pool.workers[1].finish()
        assert ended == []
        assert str(error).startswith("worker 1 of the pool, process ")
        assert ", ended with exit code 1; the GEMM that it had been given is lost, " in str(error)
        assert "ValueError: a record must have 64 bytes, not 13" in capfd.readouterr().err


@pytest.mark.parametrize(
    "error",
    [
        BusError("read", 64),
        ConfigurationMismatch({"rows": (2, 4)}),
        OutOfDeviceMemory(wanted_bytes=1, largest_bytes=0, free_bytes=0, total_bytes=0),
        WorkerDied(index=1, pid=2, returncode=-64, lost=1),
        DescriptorRejected(
            Reject.CAPACITY,
            Descriptor(m=1, k=1, n=1, m_block=1, **dict.fromkeys(_ADDRESSES, 0)),
        ),
    ],
)
def test_errors_travel(error):
    """Between processes errors keep their type, message and members."""
    error.completions = [1, 2]
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), str(copy), vars(copy)) == (type(error), str(error), vars(error))


SCRIPT = """
import os, sys, time
import numpy as np
from systolith import ArrayConfig, matmul, open_pool

end, config = sys.argv[1], ArrayConfig.parse({config!r})
pool = open_pool("rtl", config, workers=2, memory_bytes=1 << 26)
pids = [worker.pid for worker in pool.workers]
if end == "fork":
    pid = os.fork()
    if not pid:
        time.sleep(300)
    pids.append(pid)
if end == "child":
    # The child's end is not the pool's.
    pid = os.fork()
    if not pid:
        sys.exit(0)
    assert os.waitpid(pid, 0) == (pid, 0)
    time.sleep(0.1)
    a = np.ones((9, 9), np.int8)
    assert (matmul(a, a, device=pool) == 9).all()
print(*pids, flush=True)
if end not in ("exit", "child"):
    try:
        matmul(np.ones((4096, 1024), np.int8), np.ones((1024, 1024), np.int8), device=pool)
    except KeyboardInterrupt:
        print("interrupted")
"""


@contextlib.contextmanager
def started(end):
    """A process with a pool: it, and the processes that it has told."""
    script = SCRIPT.format(config=str(CONFIG))
    with subprocess.Popen(
        # Python's own warning of processes that still run is right, but not for a fork of their parent.
        [sys.executable, "-W", "default" if end != "child" else "ignore", "-c", script, end],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        pids = []
        try:
            pids += map(int, process.stdout.readline().split())
            yield process, pids
        finally:
            process.kill()
            for pid in filter(is_running, pids):
                os.kill(pid, signal.SIGKILL)


def is_running(pid):
    try:
        state = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def assert_ended(pids):
    deadline = time.monotonic() + SECONDS
    while any(map(is_running, pids)):
        assert time.monotonic() < deadline, "a worker outlives its pool"
        time.sleep(0.02)


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wait_until_busy(pids):
    """Until every process has worked for half a second more."""
    wanted = [cpu_seconds(pid) + 0.5 for pid in pids]
    deadline = time.monotonic() + SECONDS
    while any(cpu_seconds(pid) < seconds for pid, seconds in zip(pids, wanted, strict=True)):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def shared_memory():
    folder = pathlib.Path("/dev/shm")
    return {path.name for path in folder.iterdir() if "systolith" in path.name} if folder.exists() else set()


@pytest.mark.parametrize("end", ["kill", "fork"])
def test_parent_killed(end):
    """In the midst of a product: the workers end too, even where a fork of the parent holds their sockets."""
    with started(end) as (process, pids):
        wait_until_busy(pids[:2])
        process.kill()
        assert_ended(pids[:2])
        assert all(map(is_running, pids[2:]))
    assert not shared_memory()


def test_parent_interrupted():
    """Ctrl-C is the parent's alone, and no worker says anything."""
    with started("interrupt") as (process, pids):
        wait_until_busy(pids)
        os.killpg(process.pid, signal.SIGINT)
        assert process.communicate(timeout=SECONDS) == ("interrupted\n", "")
        assert process.returncode == 0
        assert_ended(pids)


@pytest.mark.parametrize("end", ["exit", "child"])
def test_parent_exits(end):
    """Without closing the pool; a child that was forked and ends does not end the workers."""
    with started(end) as (process, pids):
        assert len(pids) == 2
        assert process.communicate(timeout=SECONDS) == ("", "")
        assert process.returncode == 0
        assert_ended(pids)
    assert not shared_memory()
