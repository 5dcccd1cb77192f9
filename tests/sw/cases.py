"""Random GEMMs for property-based tests, and how to run such a test."""

import dataclasses

import hypothesis
import numpy as np
from hypothesis import strategies as st
from systolith import ArrayConfig

CONFIGS = {
    "default": ArrayConfig(),
    "2x8-narrow": ArrayConfig(
        rows=2,
        columns=8,
        axi_data_bits=32,
        a_buffer_lines=16,
        b_buffer_lines=128,
        accumulator_rows=4,
        epilogue_lanes=2,
        descriptor_slots=2,
    ),
    "8x2-wide": ArrayConfig(
        rows=8,
        columns=2,
        axi_data_bits=512,
        a_buffer_lines=16,
        b_buffer_lines=64,
        accumulator_rows=8,
        tile_columns=2,
    ),
    "4x4-small": ArrayConfig(
        rows=4,
        columns=4,
        axi_data_bits=64,
        a_buffer_lines=16,
        b_buffer_lines=32,
        accumulator_rows=4,
        burst_bytes=16,
        epilogue_lanes=2,
        descriptor_slots=2,
    ),
}

RUNS = [("golden", name) for name in CONFIGS]
RUNS += [("rtl", name) for name in ("default", "2x8-narrow", "8x2-wide")]  # building a model takes its time
"""Targets and configurations to run the property-based tests with."""

SIZES = st.one_of(st.integers(1, 200), st.sampled_from([1, 2, 7, 8, 15, 16, 17, 31, 33, 64, 65, 127, 128]))
SMALL_SIZES = st.one_of(st.integers(1, 40), st.sampled_from([1, 2, 7, 8, 9, 16, 17]))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Epilogue:
    """Options of a GEMM, and the data they need."""

    out: str
    relu: bool
    bias: np.ndarray | None
    multiplier: np.ndarray | None
    shift: np.ndarray | None

    @property
    def options(self):
        return dataclasses.asdict(self)


def fill(draw, shape):
    """An int8 array: random, all −128, or of extremes only."""
    kind = draw(st.sampled_from(["random", "random", "lowest", "extremes"]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    if kind == "lowest":
        return np.full(shape, -128, np.int8)
    if kind == "extremes":
        return rng.choice(np.array([-128, -127, 0, 127], np.int8), shape)
    return rng.integers(-128, 128, shape, np.int8)


@st.composite
def epilogues(draw, n):
    """An :class:`Epilogue` for N output channels."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    out = draw(st.sampled_from(["int32", "int8"]))
    bias = None
    if draw(st.booleans()):
        bias = rng.integers(-(2**31), 2**31, n).astype(np.int32) >> draw(st.sampled_from([0, 0, 12, 20]))
        if draw(st.booleans()):
            bias[rng.integers(n)] = draw(st.sampled_from([-(2**31), 2**31 - 1]))
    multiplier = shift = None
    if out == "int8":
        multiplier = rng.integers(0, 1 << 16, n).astype(np.uint16)
        low, high = draw(st.sampled_from([(0, 63), (24, 32), (0, 2), (63, 63)]))
        shift = rng.integers(low, high, n, endpoint=True).astype(np.uint8)
    return Epilogue(out=out, relu=draw(st.booleans()), bias=bias, multiplier=multiplier, shift=shift)


def check_property(check, strategy, *, examples):
    """Run ``check`` on that many examples, the same ones every time."""

    @hypothesis.settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        suppress_health_check=[hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.data_too_large],
    )
    @hypothesis.given(strategy)
    def run(case):
        check(case)

    run()
