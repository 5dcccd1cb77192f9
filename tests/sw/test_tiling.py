"""From problems to descriptors, without running them."""

import numpy as np
import pytest
from hypothesis import strategies as st
from sw.cases import CONFIGS, check_property
from systolith import ArrayConfig
from systolith.tiling import Placement, Problem, batches, descriptors, k_parts, m_block, sizes
from systolith_hw import BLayout, Output, Reject
from systolith_hw.config import K_MAX


@pytest.mark.parametrize(
    ("m", "k", "expected"),
    [(1, 1, 1), (256, 16, 256), (257, 16, 129), (1000, 16, 250), (100, 1536, 34), (2, 65536, 1)],
)
def test_m_block(m, k, expected):
    assert m_block(m, k, ArrayConfig()) == expected


def test_m_block_wrong_k():
    with pytest.raises(ValueError, match=r"^K must be at most 65536 to fit the A buffer, not 65537$"):
        m_block(1, 65537, ArrayConfig())


def check_m_block(case):
    config, m, k = case
    k = min(k, config.a_buffer_lines * config.line_bytes)
    block = m_block(m, k, config)
    limit = config.max_m_block(k)
    assert 1 <= block <= limit
    assert -(-m // block) == -(-m // limit)  # no more blocks than needed,
    assert block * -(-m // block) - m < -(-m // block)  # and even ones


def test_m_block_even():
    strategy = st.tuples(st.sampled_from(list(CONFIGS.values())), st.integers(1, 5000), st.integers(1, 5000))
    check_property(check_m_block, strategy, examples=200)


def test_k_parts():
    config = ArrayConfig()
    assert k_parts(65536, config) == [(0, 65536)]
    assert k_parts(65537, config) == [(0, 32784), (32784, 32753)]
    assert k_parts(K_MAX, config) == [(0, 65536), (65536, 65535)]


def test_k_parts_wrong_k():
    with pytest.raises(
        ValueError, match=rf"^K must be at most {K_MAX}, beyond which int32 could overflow, not"
    ):
        k_parts(K_MAX + 1, ArrayConfig())


def check_k_parts(case):
    config, k = case
    parts = k_parts(k, config)
    assert [start for start, _ in parts] == list(np.cumsum([0, *(size for _, size in parts[:-1])]))
    assert sum(size for _, size in parts) == k
    assert all(start % config.line_bytes == 0 and size > 0 for start, size in parts)
    assert all(config.max_m_block(size) for _, size in parts)


def test_k_parts_cover():
    strategy = st.tuples(st.sampled_from(list(CONFIGS.values())), st.integers(1, K_MAX))
    check_property(check_k_parts, strategy, examples=200)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ((), (), ((), 1, ((1, 0, 0, 0, 0),))),
        ((5,), (), ((5,), 5, ((1, 0, 0, 0, 0),))),
        ((), (5,), ((5,), 1, ((5, 0, 0, 0, 1),))),
        ((2, 3), (2, 3), ((2, 3), 1, ((6, 0, 1, 0, 1),))),
        ((3, 4), (3, 1), ((3, 4), 4, ((3, 0, 1, 0, 1),))),
        ((2, 1), (3,), ((2, 3), 1, ((3, 0, 0, 0, 1), (3, 1, 0, 0, 1)))),
    ],
)
def test_batches(a, b, expected):
    assert batches(a, b) == expected


def test_batches_wrong_shapes():
    with pytest.raises(
        ValueError, match=r"^the batch dimensions \(2,\) of a and \(3,\) of b do not broadcast$"
    ):
        batches((2,), (3,))


def check_batches(case):
    a_shape, b_shape = ([size if keep else 1 for size, keep in dims] for dims in zip(*case, strict=True))
    result = batches(tuple(a_shape), tuple(b_shape))
    a = np.arange(np.prod(a_shape, dtype=int)).reshape(a_shape)
    b = np.arange(np.prod(b_shape, dtype=int)).reshape(b_shape)
    expected = [(int(i), int(j)) for i, j in zip(*(x.flat for x in np.broadcast_arrays(a, b)), strict=True)]
    actual = [
        ((a_start + i * a_step) * result.m_factor + fold, b_start + i * b_step)
        for count, a_start, a_step, b_start, b_step in result.runs
        for i in range(count)
        for fold in range(result.m_factor)
    ]
    assert result.shape == np.broadcast_shapes(a.shape, b.shape)
    assert actual == expected


def test_batches_cover():
    def pair(size):
        return st.tuples(st.tuples(st.just(size), st.booleans()), st.tuples(st.just(size), st.booleans()))

    dims = st.lists(st.integers(1, 4).flatmap(pair), min_size=1, max_size=4)
    check_property(check_batches, dims, examples=300)


def test_descriptors_of_large_sizes():
    """M and batch beyond what a descriptor can hold are split into even ones that touch each other."""
    config = ArrayConfig()
    problem = Problem(3, 16, 16, BLayout.KN, Output.INT8, True, False)
    placement = Placement(0, 16, 1 << 28, 16, 1 << 29, 16, 1 << 30)
    parts = descriptors(problem, batches((70000,), (70000,)), placement, config)
    assert [d.batch for d in parts] == [35000, 35000]
    assert [d.a_address for d in parts] == [0, 35000 * 48]
    assert [d.d_address for d in parts] == [1 << 29, (1 << 29) + 35000 * 48]
    problem = problem._replace(m=(1 << 24) + 1)
    parts = descriptors(problem, batches((), ()), placement, config)
    assert sum(d.m for d in parts) == problem.m
    assert parts[1].a_address == parts[0].m * 16
    assert parts[1].d_address == (1 << 29) + parts[0].m * 16
    assert all(d.check(config) is Reject.NONE for d in parts)


def test_sizes():
    config = ArrayConfig(rows=8, columns=8)
    problem = Problem(3, 13, 5, BLayout.NK, Output.INT32, True, False)
    assert sizes(problem, (2,), (), (2,), config) == (16, 96, 16, 80, 24, 144, 40)
