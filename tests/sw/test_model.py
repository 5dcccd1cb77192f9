"""The model target: golden's results, and the cycles of rtl, whatever is asked of the device."""

import contextlib
import dataclasses
import random
from fractions import Fraction

import numpy as np
import pytest
from sw.cases import CONFIGS
from sw.oracle import gemm
from systolith import BusError, DescriptorRejected, TargetUnavailable, matmul, open_device
from systolith_hw import Code
from systolith_sim import MemoryTiming
from systolith_sim.errors import CacheError

OUTSIDE = 1 << 31
"""An address beyond the memory."""

TINY = CONFIGS["2x8-narrow"]
ONE = np.ones((1, 1), np.int8)


@contextlib.contextmanager
def open_both(config, **options):
    """A device of each target, opened alike."""
    with open_device("model", config, **options) as model, open_device("rtl", config, **options) as rtl:
        yield model, rtl


def random_timing(draw):
    def bandwidth():
        return draw.choice((Fraction(1), Fraction(1), Fraction(2, 3), Fraction(1, draw.randint(1, 200))))

    return MemoryTiming(
        latency_cycles=draw.choice((1, 2, 40, draw.randint(1, 100))),
        write_latency_cycles=draw.choice((1, 2, 40, draw.randint(1, 100))),
        read_bandwidth=bandwidth(),
        write_bandwidth=bandwidth(),
    )


def random_products(draw, device, count):
    """A queue that has not run, and its pending products."""
    generator = np.random.default_rng(draw.randrange(1 << 30))
    queue = device.queue()
    pending = []
    for _ in range(count):
        m, k, n = (draw.choice((1, 2, 3, 8, draw.randint(1, 40))) for _ in range(3))
        batch = draw.choice(((), (), (2,), (3,)))
        layout = draw.choice(("kn", "nk"))
        a = generator.integers(-128, 128, (*batch, m, k), np.int8)
        b = generator.integers(-128, 128, (*batch, k, n) if layout == "kn" else (*batch, n, k), np.int8)
        epilogue = draw.choice(({}, {"out": "int8", "multiplier": 3, "shift": 9, "bias": 5}))
        pending.append(queue.matmul(a, b, b_layout=layout, relu=draw.random() < 0.5, **epilogue))
    return queue, pending


def random_change(draw):
    """Fields of a descriptor that is rejected, that meets a bus error, or that interrupts; mostly none."""
    changes = (
        {"m_block": 1 << 14},
        {"n": 0},
        {"a_address": OUTSIDE},
        {"b_address": OUTSIDE},
        {"d_address": OUTSIDE},
        {"interrupt": True},
    )
    return draw.choice(changes) if draw.random() < 0.4 else {}


def run_step(draw, device):
    """One use of the device, drawn alike for both: what it says of it."""
    step = draw.choice(("queue", "submit", "submit", "many", "execute", "reset"))
    count = {"many": 20, "reset": 2}.get(step, draw.randint(1, 5))
    queue, pending = random_products(draw, device, count)
    if step == "queue":
        queue.run()
        return [(each.record.counters, each.result().tolist()) for each in pending]
    descriptors = [
        dataclasses.replace(descriptor, **random_change(draw))
        for each in pending
        for descriptor in each.descriptors
    ]
    start = 0
    while start < len(descriptors):
        end = start + draw.randint(1, len(descriptors))
        device.submit(descriptors[start:end])
        start = end
    if step == "reset":
        device.reset()
        return []
    executed = device.execute(descriptors[:2]) if step == "execute" else []
    ended = device.collect() + executed
    return [(completion.code, completion.reason, completion.counters) for _, completion, _ in ended]


@pytest.mark.parametrize("name", ["2x8-narrow", "8x2-wide"])
def test_equals_rtl(name):
    compared = 0
    for seed in range(30):
        draw = random.Random(f"{seed} {name}")
        options = {"timing": random_timing(draw), "ring_slots": draw.choice((1, 2, 4, 16, 256))}
        with open_both(CONFIGS[name], memory_bytes=1 << 20, **options) as devices:
            for step in range(6):
                model, rtl = (run_step(random.Random(f"{seed} {name} {step}"), device) for device in devices)
                assert model == rtl, (seed, step)
                compared += len(rtl)
    assert compared > 500


def test_equals_rtl_of_a_slow_memory():
    """A channel that is busy for thousands of cycles after its last beat does not delay the next queue."""
    timing = MemoryTiming(read_bandwidth=Fraction(1, 3000), write_bandwidth=Fraction(1, 5000))
    with open_both(TINY, memory_bytes=1 << 20, timing=timing, ring_slots=1) as devices:
        model, rtl = ([matmul_cycles(device) for _ in range(3)] for device in devices)
    assert model == rtl
    assert len(set(model)) == 1


def matmul_cycles(device):
    matmul(ONE, ONE, device=device)
    return device.trace[-1].cycles


def test_counts_do_not_depend_on_submits():
    """Everything that is submitted before a wait is one queue."""
    counts = []
    for sizes in ((6,), (1, 5), (1, 1, 1, 1, 1, 1)):
        with open_both(TINY, memory_bytes=1 << 20) as devices:
            for device in devices:
                _, pending = random_products(random.Random(7), device, 6)
                descriptors = [descriptor for each in pending for descriptor in each.descriptors]
                for size in sizes:
                    device.submit(descriptors[:size])
                    descriptors = descriptors[size:]
                counts.append([completion.counters for completion in device.wait()])
    assert all(each == counts[0] for each in counts)


def test_record():
    with open_device("model", TINY, memory_bytes=1 << 20) as device:
        rng = np.random.default_rng(0)
        a, b = rng.integers(-128, 128, (9, 30), np.int8), rng.integers(-128, 128, (30, 11), np.int8)
        np.testing.assert_array_equal(matmul(a, b, device=device, label="one"), gemm(a, b))
        (record,) = device.trace
    assert (record.label, record.target) == ("one", "model")
    assert record.cycles == sum(record.counters.parts.values()) >= record.roofline_cycles
    assert record.seconds > 0


def test_failed():
    """What fails is told as on every target, and charged."""
    with open_device("model", TINY, memory_bytes=1 << 20) as device:
        _, (pending,) = random_products(random.Random(1), device, 1)
        (descriptor,) = pending.descriptors
        device.submit([descriptor, dataclasses.replace(descriptor, d_address=OUTSIDE)])
        with pytest.raises(BusError) as info:
            device.wait()
        good, bad = info.value.completions
        assert (good.code, bad.code) == (Code.OK, Code.WRITE_ERROR)
        assert bad.counters.total > 0
        device.submit([dataclasses.replace(descriptor, n=0)])
        with pytest.raises(DescriptorRejected) as info:
            device.wait()
        assert info.value.completions[0].counters.total == 0


def test_init_wrong():
    with pytest.raises(
        ValueError, match=r"^timing must be without random stalls for target model, not MemoryTiming\("
    ):
        open_device("model", timing=MemoryTiming(stall_probability={"w": 0.1}))
    with pytest.raises(TypeError, match=r"^timing must be a MemoryTiming, not 40$"):
        open_device("model", timing=40)
    with pytest.raises(ValueError, match=r"^ring_slots must be a power of two from 1 to 2048, not 3$"):
        open_device("model", ring_slots=3)
    for name in ("lowering", "variant", "max_cycles", "memory_base"):
        with pytest.raises(TypeError, match=rf"^target model has the options .*, not {name}$"):
            open_device("model", **{name: None})


@pytest.mark.parametrize("compiled", [True, False])
def test_progress(monkeypatch, compiled):
    monkeypatch.setattr("systolith_sim.cycles.is_compiled", lambda: compiled)
    lines = []
    open_device("model", TINY, memory_bytes=1 << 20, progress=lines.append).close()
    assert lines == ([] if compiled else ["compiling the cycle model"])


def test_unavailable(monkeypatch):
    def fail(*arguments, **options):
        raise CacheError("the cache folder cannot be used")

    monkeypatch.setattr("systolith_sim.cycles.predict", fail)
    with pytest.raises(TargetUnavailable, match=r"^target model: the cache folder cannot be used$"):
        open_device("model", TINY, memory_bytes=1 << 20)
