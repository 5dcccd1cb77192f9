"""What the devices of a pool are given: every element of D once, and about the same work for each."""

import dataclasses

import numpy as np
import pytest
from hypothesis import strategies as st
from sw.cases import CONFIGS, check_property
from systolith.golden import GoldenDevice
from systolith.pool.cut import START_CYCLES, cut_in_two, estimate_cycles
from systolith.pool.schedule import plan, spread
from systolith_hw import BLayout, Descriptor, Output

CONFIG = CONFIGS["default"]
REGION_BYTES = 1 << 18
A, B, D, PARAMETERS = (region * REGION_BYTES for region in range(4))


def describe(m, k, n, *, batch=1, layout=BLayout.KN, output=Output.INT32, config=CONFIG, **options):
    """A descriptor with regions of their own for A, B, D and parameters, rows padded to the bus."""
    pad = lambda size: -(-size // config.bus_bytes) * config.bus_bytes  # noqa: E731
    strides = {
        "a_stride": pad(k),
        "b_stride": pad(n if layout is BLayout.KN else k),
        "d_stride": pad(n * (4 if output is Output.INT32 else 1)),
    }
    b_rows = k if layout is BLayout.KN else n
    return Descriptor(
        m=m,
        k=k,
        n=n,
        batch=batch,
        m_block=max(1, min(m, config.max_m_block(k))),
        b_layout=layout,
        output=output,
        a_address=A,
        b_address=B,
        d_address=D,
        parameter_address=PARAMETERS,
        **strides,
        a_batch_stride=m * strides["a_stride"],
        b_batch_stride=b_rows * strides["b_stride"],
        d_batch_stride=m * strides["d_stride"],
        **options,
    )


def run(device, descriptors):
    """Device memory after descriptors have run, of which D had been overwritten."""
    device.memory[D : D + REGION_BYTES] = 0x55
    device.submit(descriptors)
    device.wait()
    return device.memory.copy()


@st.composite
def cases(draw):
    config = CONFIGS[draw(st.sampled_from(["default", "2x8-narrow", "8x2-wide", "4x4-small"]))]
    k = draw(st.integers(1, 40))
    output = draw(st.sampled_from(Output))
    descriptor = describe(
        draw(st.integers(1, 70)),
        k,
        draw(st.integers(1, 70)),
        batch=draw(st.integers(1, 6)),
        layout=draw(st.sampled_from(BLayout)),
        output=output,
        parameters=output is Output.INT8 or draw(st.booleans()),
        relu=draw(st.booleans()),
        config=config,
    )
    return config, descriptor, draw(st.floats(0.05, 0.95)), draw(st.integers(0, 2**32 - 1))


def test_cut_is_the_whole():
    """Both parts together write what the whole writes, and nothing else, to the byte."""
    cuts = 0

    def check(case):
        nonlocal cuts
        config, descriptor, share, seed = case
        work = estimate_cycles(descriptor, config) - START_CYCLES
        parts = cut_in_two(descriptor, START_CYCLES + share * work, config)
        if parts is None:
            return
        cuts += 1
        assert not any(part.check(config) for part in parts)
        with GoldenDevice(config, memory_bytes=4 * REGION_BYTES) as device:
            device.memory[:] = np.random.default_rng(seed).integers(0, 256, device.memory.size, np.uint8)
            np.testing.assert_array_equal(run(device, parts), run(device, [descriptor]))

    check_property(check, cases(), examples=150)
    assert cuts > 100


@pytest.mark.parametrize(
    ("descriptor", "axis"),
    [
        (describe(128, 384, 384), "m"),
        (describe(1, 576, 1536), "n"),
        (describe(16, 384, 384), "n"),
        (describe(32, 64, 32, batch=12), "batch"),
        (describe(64, 64, 64, batch=3), "m"),
    ],
)
def test_cut_axis(descriptor, axis):
    """M is not cut where passes would become too short to hide the weights, an odd batch not by matrices."""
    half = START_CYCLES + (estimate_cycles(descriptor, CONFIG) - START_CYCLES) / 2
    first, second = cut_in_two(descriptor, half, CONFIG)
    for name in ("batch", "m", "n"):
        whole = getattr(descriptor, name)
        got = getattr(first, name), getattr(second, name)
        assert got == ((whole // 2, whole - whole // 2) if name == axis else (whole, whole))


@pytest.mark.parametrize("change", [{"n": 0}, {"k": 1 << 20}, {"m_block": 5000}, {"b_stride": 13}])
def test_rejected_is_left_alone(change):
    bad = dataclasses.replace(describe(64, 64, 64), **change)
    assert bad.check(CONFIG)
    assert cut_in_two(bad, 100, CONFIG) is None
    assert [part for parts in spread((bad,), CONFIG, 3) for part in parts] == [(0, bad)]


@pytest.mark.parametrize("devices", [1, 2, 3, 5])
@pytest.mark.parametrize(
    "sizes", [[(128, 384, 384)], [(64, 384, 384)] * 7, [(256, 128, 128), (64, 64, 64), (1, 256, 64)]]
)
def test_even(devices, sizes):
    """Each device's estimate is within a tenth of its share."""
    descriptors = tuple(describe(*size) for size in sizes)
    loads = [
        sum(estimate_cycles(part, CONFIG) for _, part in parts)
        for parts in spread(descriptors, CONFIG, devices)
    ]
    share = sum(estimate_cycles(descriptor, CONFIG) for descriptor in descriptors) / devices
    assert max(loads) <= 1.1 * share + START_CYCLES


def test_whole_where_cutting_gains_nothing():
    descriptors = tuple(describe(64, 64, 16 * size) for size in (1, 2, 3, 4))
    parts = [part for parts in spread(descriptors, CONFIG, 2) for part in parts]
    assert sorted(parts, key=lambda part: part[0]) == list(enumerate(descriptors))
    assert spread((describe(1, 16, 16),), CONFIG, 2) == [[(0, describe(1, 16, 16))], []]


def test_longest_first():
    """The largest begins, alone; the others share the second device."""
    descriptors = tuple(describe(64, 64, 16 * size) for size in (1, 7, 2, 3))
    assert [[index for index, _ in parts] for parts in spread(descriptors, CONFIG, 2)] == [[1], [3, 2, 0]]


def test_plan():
    descriptors = tuple(describe(64, 64, 64, tag=tag) for tag in range(5))
    portions = plan(descriptors, CONFIG, 2)
    assert sorted({index for portion in portions for index in portion.indices}) == list(range(5))
    assert plan(descriptors, CONFIG, 2) is portions
    long = descriptors * 100
    assert plan(long, CONFIG, 2) == plan(long, CONFIG, 2)
    assert plan(long, CONFIG, 2) is not plan(long, CONFIG, 2), "plans of any length would take any memory"
