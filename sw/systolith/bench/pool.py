"""How much faster several simulated devices are than one, and what a round trip to a worker takes."""

import time
from pathlib import Path

import numpy as np

from systolith.golden import product
from systolith.opening import open_device
from systolith.pool import open_pool
from systolith.pool.channel import frame

__all__ = ["FLOOR", "QUEUE", "measure_pool"]

QUEUE = 24
"""Independent GEMMs in the queue."""
SHAPE = (64, 384, 384)
"""M, K and N of each: a square linear layer of MiniLM."""
ROWS = 1024
"""M of the one GEMM that is cut by its rows."""
FLOOR = 0.85
"""Least throughput of a pool in that of as many devices: 1.7 for two."""
ROUND_TRIPS = 1000


def measure_pool(config, *, workers=2, repeats=5, progress=None):
    """Run the same products on one device of target ``rtl`` and on a pool, in turn; the best of each counts.

    ``throughput_ratio`` compares wall times, so that it needs as many idle processor cores as devices.
    ``cpu_ratio`` is what it would be if every process had one: processor time of the one device's process,
    over that of the pool's parent and its busiest worker.

    Parameters
    ----------
    config : ArrayConfig
    workers : int
        Devices of the pool.
    repeats : int
    progress : callable or None
        Called with a line of text before anything that takes long.

    Returns
    -------
    dict
        As JSON can hold it: ``round_trip_ms``, and in ``rows`` for the independent GEMMs and for the one that
        is cut their times, cycles, ratios and wrong elements.

    Raises
    ------
    DeviceError
    """
    generator = np.random.default_rng(0)

    def operands(m):
        shapes = ((m, SHAPE[1]), SHAPE[1:])
        return [generator.integers(-128, 128, shape, np.int8) for shape in shapes]

    work = {"independent GEMMs": [operands(SHAPE[0]) for _ in range(QUEUE)], "one GEMM": [operands(ROWS)]}
    with (
        open_device("rtl", config, progress=progress) as one,
        open_pool("rtl", config, workers=workers) as pool,
    ):
        rows = [_measure(name, products, one, pool, repeats) for name, products in work.items()]
        round_trip = min(_round_trip_seconds(pool.workers[0]) for _ in range(repeats))
    return {"array": str(config), "workers": workers, "round_trip_ms": 1000 * round_trip, "rows": rows}


def _measure(name, products, one, pool, repeats):
    wanted = [product(a, b) for a, b in products]
    wall, cpu = ({one: [], pool: []} for _ in range(2))
    cycles = {}
    wrong = 0
    for _ in range(repeats):
        for device in (one, pool):
            start, before = time.perf_counter(), _cpu_seconds(device)
            with device.tracing() as trace, device.queue() as queue:
                pending = [queue.matmul(a, b) for a, b in products]
            wall[device].append(time.perf_counter() - start)
            parent, *workers = (after - b for after, b in zip(_cpu_seconds(device), before, strict=True))
            cpu[device].append(parent + max(workers, default=0.0))
            cycles[device] = trace.makespan_cycles
            wrong += sum(int((each.view() != d).sum()) for each, d in zip(pending, wanted, strict=True))
    ratio = min(wall[one]) / min(wall[pool])
    floor = FLOOR * len(pool.workers)
    m, (k, n) = products[0][0].shape[0], products[0][1].shape
    return {
        "work": name,
        "products": len(products),
        "m": m,
        "k": k,
        "n": n,
        "cycles": cycles[one],
        "makespan_cycles": cycles[pool],
        "cycle_ratio": cycles[one] / cycles[pool],
        "one_seconds": min(wall[one]),
        "pool_seconds": min(wall[pool]),
        "cpu_ratio": min(cpu[one]) / min(cpu[pool]),
        "throughput_ratio": ratio,
        "floor": floor,
        "passed": ratio >= floor,
        "mismatches": wrong,
    }


def _cpu_seconds(device):
    """Processor time of this process, and of each of a pool's workers."""
    files = [Path(f"/proc/{worker.pid}/schedstat") for worker in getattr(device, "workers", ())]
    return [time.process_time(), *(int(file.read_text().split()[0]) / 1e9 for file in files)]


def _round_trip_seconds(worker):
    """Mean time from giving a worker no descriptors to having its answer."""
    nothing = frame(b"")
    start = time.perf_counter()
    for _ in range(ROUND_TRIPS):
        worker.begin(nothing, 0)
        worker.finish()
    return (time.perf_counter() - start) / ROUND_TRIPS
