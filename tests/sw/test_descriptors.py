"""Descriptors with every option on every target: the bits of D, and not one byte beside it."""

import dataclasses
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import strategies as st
from sw.cases import CONFIGS, RUNS, SIZES, SMALL_SIZES, Epilogue, check_property, epilogues, fill
from sw.oracle import gemm, parameters
from systolith import ArrayConfig
from systolith_hw import BLayout, Code, Descriptor, Output
from systolith_sim.timing import MemoryTiming

EXAMPLES = {"golden": 120, "rtl": 25}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Case:
    a: np.ndarray
    b: np.ndarray
    a_shared: bool
    b_shared: bool
    batch: int
    b_layout: str
    epilogue: Epilogue
    m_block: int
    paddings: tuple
    seed: int


@st.composite
def cases(draw, config: ArrayConfig, sizes):
    m, k, n = draw(sizes), draw(sizes), draw(sizes)
    k = min(k, config.a_buffer_lines * config.line_bytes)
    batch = draw(st.sampled_from([1, 1, 2, 3]))
    a_shared, b_shared = draw(st.booleans()), draw(st.booleans())
    b_layout = draw(st.sampled_from(["kn", "nk"]))
    return Case(
        a=fill(draw, (1 if a_shared else batch, m, k)),
        b=fill(draw, (1 if b_shared else batch, *((k, n) if b_layout == "kn" else (n, k)))),
        a_shared=a_shared,
        b_shared=b_shared,
        batch=batch,
        b_layout=b_layout,
        epilogue=draw(epilogues(n)),
        m_block=draw(st.integers(1, config.max_m_block(k))),
        paddings=tuple(draw(st.integers(0, 3)) for _ in range(6)),
        seed=draw(st.integers(0, 2**32 - 1)),
    )


def round_up(value, multiple):
    return -(-value // multiple) * multiple


def check(device, case):
    """Lay the operands out between random bytes, run, and compare all of it."""
    bus = device.config.bus_bytes
    rng = np.random.default_rng(case.seed)
    epilogue = case.epilogue
    m, k = case.a.shape[-2:]
    n = case.b.shape[-1 if case.b_layout == "kn" else -2]
    element = 1 if epilogue.out == "int8" else 4
    with_parameters = epilogue.bias is not None or epilogue.out == "int8"

    strides = [
        round_up(width, bus) + padding * bus
        for width, padding in zip((k, case.b.shape[-1], n * element), case.paddings[:3], strict=True)
    ]
    batch_strides = [
        rows * stride + padding * bus
        for rows, stride, padding in zip((m, case.b.shape[-2], m), strides, case.paddings[3:], strict=True)
    ]
    counts = [case.a.shape[0], case.b.shape[0], case.batch]
    guard = 2 * max(bus, 64)
    offsets, end = [], guard
    for count, batch_stride in zip(counts, batch_strides, strict=True):
        offsets.append(end)
        end = round_up(end + count * batch_stride, bus) + guard
    parameter_offset, end = end, round_up(end + 8 * n, bus) + guard

    memory = rng.integers(0, 256, end).astype(np.uint8)
    operands = (case.a, case.b)
    for operand, offset, stride, batch_stride in zip(
        operands, offsets[:2], strides[:2], batch_strides[:2], strict=True
    ):
        np.ndarray(operand.shape, np.int8, memory, offset, (batch_stride, stride, 1))[...] = operand
    if with_parameters:
        bias = np.zeros(n, int) if epilogue.bias is None else epilogue.bias
        multiplier = rng.integers(0, 1 << 16, n) if epilogue.multiplier is None else epilogue.multiplier
        shift = rng.integers(0, 64, n) if epilogue.shift is None else epilogue.shift
        memory[parameter_offset : parameter_offset + 8 * n] = parameters(bias, multiplier, shift)
    expected = memory.copy()
    result = gemm(case.a, case.b, b_layout=case.b_layout, **epilogue.options)
    np.ndarray(
        (case.batch, m, n), result.dtype, expected, offsets[2], (batch_strides[2], strides[2], element)
    )[...] = result

    buffer = device.allocate(end)
    try:
        device.write(buffer.address, memory)
        device.submit(
            [
                Descriptor(
                    m=m,
                    k=k,
                    n=n,
                    batch=case.batch,
                    m_block=case.m_block,
                    b_layout=BLayout[case.b_layout.upper()],
                    output=Output[epilogue.out.upper()],
                    parameters=with_parameters,
                    relu=epilogue.relu,
                    a_address=buffer.address + offsets[0],
                    b_address=buffer.address + offsets[1],
                    d_address=buffer.address + offsets[2],
                    parameter_address=buffer.address + parameter_offset if with_parameters else 0,
                    a_stride=strides[0],
                    b_stride=strides[1],
                    d_stride=strides[2],
                    a_batch_stride=0 if case.a_shared else batch_strides[0],
                    b_batch_stride=0 if case.b_shared else batch_strides[1],
                    d_batch_stride=batch_strides[2],
                    tag=case.seed,
                )
            ]
        )
        (completion,) = device.wait()
        actual = device.read(buffer.address, end)
    finally:
        device.free(buffer)
    assert completion.code is Code.OK
    assert completion.tag == case.seed
    if completion.counters is not None:
        assert sum(completion.counters.parts.values()) == completion.counters.total
    np.testing.assert_array_equal(actual, expected)


@pytest.mark.parametrize(("target", "name"), RUNS)
def test_every_option(open_shared, target, name):
    config = CONFIGS[name]
    device = open_shared(target, config)
    sizes = SIZES if target == "golden" else SMALL_SIZES
    check_property(lambda case: check(device, case), cases(config, sizes), examples=EXAMPLES[target])


@pytest.mark.parametrize("name", ["2x8-narrow", "8x2-wide"])
def test_every_option_with_stalls(open_shared, name):
    """Whatever the memory does, the bits are the same."""
    config = CONFIGS[name]
    device = open_shared("rtl", config)
    timing = device.simulator.timing

    def check_with(case):
        device.simulator.set_timing(
            MemoryTiming(
                latency_cycles=1 + case.seed % 90,
                read_bandwidth=Fraction(1, 1 + case.seed % 3),
                stall_probability=case.seed % 7 / 10,
                seed=case.seed,
            )
        )
        check(device, case)

    try:
        check_property(check_with, cases(config, SMALL_SIZES), examples=15)
    finally:
        device.simulator.set_timing(timing)
