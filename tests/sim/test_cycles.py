"""The cycle model against the RTL: every counter and every completion, no difference allowed."""

import dataclasses
import itertools
import time
from fractions import Fraction

import numpy as np
import pytest
from systolith_hw import REGISTERS, ArrayConfig, Descriptor
from systolith_hw.config import DIMENSION_BITS
from systolith_hw.descriptor import SLOT_BYTES, BLayout, Output, Reject
from systolith_sim import MemoryTiming, open_simulator
from systolith_sim.cycles import (
    MEMORY_BYTES,
    Case,
    compare,
    compare_random,
    predict,
    predict_completions,
    random_cases,
    run_rtl,
)

ARRAYS = (
    "2x2",
    "4x4-axi32-a16-b16-acc16-e2-burst8-o2-ds2",
    "8x2-axi64-a256-b64-acc32-e1-burst32-o4-ds2",
    "4x8-axi64-a256-b64-acc32-burst16-o1-ds1-lc16",
    "4x4-axi32-a64-b64-acc32-e4-burst16-o4-ds2-tc4",
    "4x8-axi64-a64-b64-acc32-e2-burst16-o8-ds4-tc2",
)


@pytest.fixture(scope="module")
def simulators(cache):
    """A running model of every array, opened when first asked for."""
    opened = {}

    def open_array(text):
        config = ArrayConfig.parse(text)
        if text not in opened:
            opened[text] = open_simulator(config, memory_bytes=MEMORY_BYTES, cache=cache)
        return config, opened[text]

    yield open_array
    for simulator in opened.values():
        simulator.close()


def gemm(config, m, k, n, *, layout=BLayout.NK, output=Output.INT8, batch=1, **fields):
    """A packed product; every address at the begin of a page."""
    bus = config.bus_bytes
    row = {name: -(-size // bus) * bus for name, size in (("k", k), ("n", n))}
    result = bus * -(-n * (1 if output is Output.INT8 else 4) // bus)
    b_stride, b_rows = (row["n"], k) if layout is BLayout.KN else (row["k"], n)
    values = {
        "m_block": min(m, config.max_m_block(k)),
        "parameters": output is Output.INT8,
        "a_address": 1 << 20,
        "b_address": 2 << 20,
        "d_address": 3 << 20,
        "parameter_address": 4 << 20,
        "a_stride": row["k"],
        "b_stride": b_stride,
        "d_stride": result,
        "a_batch_stride": m * row["k"],
        "b_batch_stride": b_rows * b_stride,
        "d_batch_stride": m * result,
    }
    return Descriptor(m=m, k=k, n=n, batch=batch, b_layout=layout, output=output, **(values | fields))


SHAPES = ((1, 1, 1), (1, 64, 3), (2, 5, 33), (3, 16, 16), (16, 7, 1), (17, 33, 9), (40, 8, 24))


@pytest.mark.parametrize("text", ARRAYS)
def test_shapes(simulators, text):
    config, simulator = simulators(text)
    for shape, layout, output in itertools.product(SHAPES, BLayout, Output):
        single = gemm(config, *shape, layout=layout, output=output)
        for queue in ((single,), (single, single, single)):
            result = compare(config, simulator, Case(descriptors=queue, timing=MemoryTiming()))
            assert result.equal, (shape, layout, output, len(queue))


@pytest.mark.parametrize("text", ARRAYS)
def test_corners(simulators, text):
    config, simulator = simulators(text)
    plain = gemm(config, 12, 24, 20, batch=2)
    crossing = gemm(
        config,
        *(12, 24, 20),
        a_address=(1 << 20) + 4096 - config.bus_bytes,
        b_address=(2 << 20) + 4096 - 2 * config.bus_bytes,
        d_address=(3 << 20) + 4096 - config.bus_bytes,
        output=Output.INT32,
    )
    rejected = dataclasses.replace(plain, m_block=config.accumulator_rows + 1)
    slow = MemoryTiming(
        latency_cycles=100,
        write_latency_cycles=77,
        read_bandwidth=Fraction(2, 3),
        write_bandwidth=Fraction(1, 7),
    )
    quick = MemoryTiming(latency_cycles=1, write_latency_cycles=1)
    one_row_blocks = gemm(config, 9, 6, 10, m_block=1)
    queues = (
        (crossing,),
        (plain, crossing, plain),
        (rejected,),
        (plain, rejected, rejected, crossing),
        (rejected, plain),
        (plain, rejected),
        (one_row_blocks,) * 6,
        (dataclasses.replace(plain, b_batch_stride=0), one_row_blocks, rejected, crossing, plain, plain),
    )
    for number, (queue, timing) in enumerate(itertools.product(queues, (MemoryTiming(), slow, quick))):
        result = compare(config, simulator, Case(descriptors=queue, timing=timing, ring_base=0x1F80))
        assert result.equal, number


@pytest.mark.parametrize("text", ARRAYS)
def test_many_tiles(simulators, text):
    """Long enough along N for the model to skip tiles, whichever unit the others wait for."""
    config, simulator = simulators(text)
    wide = 60 * config.columns + 1
    shapes = ((1, 40, wide), (2, 2, wide), (40, 9, wide), (7, 3 * config.rows, 2 * wide))
    timings = (
        MemoryTiming(),
        MemoryTiming(read_bandwidth=Fraction(3, 7), latency_cycles=90),
        MemoryTiming(write_bandwidth=Fraction(2, 5), write_latency_cycles=3),
    )
    for shape, layout, output, timing in itertools.product(shapes, BLayout, Output, timings):
        plain = gemm(config, *shape, layout=layout, output=output)
        # Rows that lie across the boundaries of bursts differently for each tile.
        odd = dataclasses.replace(
            plain,
            **{name: getattr(plain, name) + config.bus_bytes for name in ("b_address", "d_address")},
            **{name: getattr(plain, name) + 3 * config.bus_bytes for name in ("b_stride", "d_stride")},
        )
        case = Case(descriptors=(plain, odd), timing=timing, available=(0, 5000))
        assert compare(config, simulator, case).equal, (shape, layout, output, timing)


@pytest.mark.parametrize("write_bandwidth", [1, Fraction(3, 4), Fraction(1, 5)])
def test_many_rows(simulators, write_bandwidth):
    """Tiles of so many rows that the model skips some, whether the array or the memory is slower."""
    config, simulator = simulators("2x2")
    timing = MemoryTiming(write_bandwidth=write_bandwidth, write_latency_cycles=50)
    for m, k, output in itertools.product((33, 64, 256, 600), (1, 2, 9, 40), Output):
        plain = gemm(config, m, k, 7, output=output)
        crossing = dataclasses.replace(plain, d_address=plain.d_address + 4, d_stride=plain.d_stride + 12)
        case = Case(descriptors=(plain, crossing, plain), timing=timing, available=(0, 300, 302))
        assert compare(config, simulator, case).equal, (m, k, output)


@pytest.mark.parametrize("text", ARRAYS)
def test_random(simulators, text):
    config, simulator = simulators(text)
    cycles, mismatches = compare_random(config, simulator, seed=20261122, cases=100)
    assert mismatches == []
    assert cycles > 10_000


SMALL = "4x4-axi32-a256-b64-acc32-e1-burst16-o2-ds1-addr15-dim13-cnt24-lc32"
SMALLEST = "2x2-axi32-a16-b16-acc16-e2-burst8-o2-ds2-addr12-dim8"


@pytest.mark.parametrize("text", [SMALL, SMALLEST, "4x8-axi512-a64-b64-acc64-e8-burst256-o2-ds4-addr13"])
def test_random_cases_fit(text):
    """Operands lie apart, where an array of few bits can address them: none is rejected for that."""
    config = ArrayConfig.parse(text)
    rejected = set()
    for case in itertools.islice(random_cases(config, seed=1), 200):
        ring_end = case.ring_base + SLOT_BYTES * len(case.descriptors)
        for descriptor in case.descriptors:
            rejected.add(descriptor.check(config))
            begins = sorted(getattr(descriptor, f"{name}_address") for name in ("a", "b", "d", "parameter"))
            assert ring_end <= begins[0] < begins[1] < begins[2] < begins[3] < 1 << config.address_bits
            rows = descriptor.m - 1 + (descriptor.batch - 1) * descriptor.m
            end = descriptor.d_address + rows * descriptor.d_stride + descriptor.n
            assert all(end <= begin for begin in begins if begin > descriptor.d_address)
            assert end <= 1 << config.address_bits
    assert rejected == {Reject.NONE, Reject.CAPACITY}


def test_random_small(simulators):
    config, simulator = simulators(SMALL)
    cycles, mismatches = compare_random(config, simulator, seed=1, cases=50)
    assert mismatches == []
    assert cycles > 10_000


def test_completion_raises_interrupt(simulators):
    config, simulator = simulators("2x2")
    single = gemm(config, 8, 8, 8)
    simulator.reset()
    simulator.set_timing(MemoryTiming())
    simulator.memory[:128] = np.frombuffer(
        dataclasses.replace(single, interrupt=True).pack().ljust(128), np.uint8
    )
    for name in ("irq_enable", "control", "ring_tail"):
        simulator.write_register(REGISTERS[name].offset, 1)
    # The doorbell's write is answered in cycle 0, when the device sees it.
    answered = simulator.cycles - 1
    simulator.run(until="irq")
    (prediction,) = predict_completions(config, [single])
    assert prediction.completed_cycle == simulator.cycles - answered


def test_doorbells(simulators):
    """What is submitted while the device is busy, idle again, or just becoming idle."""
    config, simulator = simulators("2x2")
    single = gemm(config, 5, 6, 7)
    (alone,) = predict_completions(config, [single])
    end = alone.completed_cycle
    delays = [0, *range(2, end - 60, 10), *range(end - 60, end + 4), 100_000]
    totals = set()
    for delay in delays:
        case = Case(descriptors=(single, single), timing=MemoryTiming(), available=(0, delay))
        result = compare(config, simulator, case)
        assert result.equal, delay
        totals.add(result.model[1].counters.total)
    assert len(totals) > 10
    idle = result.model[1]
    assert idle.counters == alone.counters
    assert idle.completed_cycle == 100_000 + end


def test_earlier_does_not_depend_on_later():
    config = ArrayConfig.parse(ARRAYS[1])
    for case in itertools.islice(random_cases(config, seed=3), 40):
        whole = predict_completions(
            config, case.descriptors, timing=case.timing, available=case.available, ring_base=case.ring_base
        )
        count = len(case.descriptors) // 2
        if not count:
            continue
        part = predict_completions(
            config,
            case.descriptors[:count],
            timing=case.timing,
            available=case.available[:count],
            ring_base=case.ring_base,
        )
        before = [index for index in range(count) if whole[index].completed_cycle <= case.available[count]]
        assert [whole[index] for index in before] == [part[index] for index in before]


def test_predict_largest():
    """Millions of tiles take no longer than some: all but the first and the last are skipped."""
    config = ArrayConfig.parse("2x2")
    n = (1 << DIMENSION_BITS) - 1
    begin = time.process_time()
    small, large = (predict(config, [gemm(config, 8, 16, columns)])[0] for columns in (101, n))
    assert time.process_time() - begin < 60
    assert large.compute == 8 * 8 * ((n + 1) // 2)
    assert large.total - large.compute == small.total - small.compute


def test_compare_tells_difference(simulators):
    config, simulator = simulators("2x2")
    case = Case(descriptors=(gemm(config, 8, 8, 8),), timing=MemoryTiming(latency_cycles=9))
    (other,) = predict(config, case.descriptors, timing=MemoryTiming(latency_cycles=10))
    (rtl,) = run_rtl(simulator, case)
    assert other != rtl.counters
    assert other.total == sum(other.parts.values())


def test_predict_wrong_timing():
    config = ArrayConfig.parse("2x2")
    with pytest.raises(ValueError, match=r"^timing must be without random stalls, not MemoryTiming\("):
        predict(config, [gemm(config, 1, 1, 1)], timing=MemoryTiming(stall_probability=0.1))


@pytest.mark.parametrize(
    ("available", "message"),
    [
        ((0,), "available must hold 2 cycles, one for each descriptor, not 1"),
        ((-1, 0), "available must not be before cycle 0, as -1 is"),
        ((5, 4), "available must not decrease, as from 5 to 4"),
    ],
)
def test_predict_wrong_available(available, message):
    config = ArrayConfig.parse("2x2")
    with pytest.raises(ValueError, match=f"^{message}$"):
        predict(config, [gemm(config, 1, 1, 1)] * 2, available=available)


def test_predict_empty():
    assert predict(ArrayConfig.parse("2x2"), []) == []
