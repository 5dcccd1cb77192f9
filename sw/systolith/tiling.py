"""From a problem to descriptors: blocks of M, parts of K, and what a batch is."""

import functools
import math
from typing import NamedTuple

from systolith_hw import BLayout, Descriptor, Output
from systolith_hw.config import K_MAX, PARAMETER_BYTES
from systolith_hw.descriptor import DESCRIPTOR_FIELDS

from .memory import round_up

__all__ = ["Batches", "Placement", "Problem", "Run", "batches", "descriptors", "k_parts", "m_block"]

BATCH_MAX = (1 << DESCRIPTOR_FIELDS["batch"].width) - 1
M_MAX = (1 << DESCRIPTOR_FIELDS["m"].width) - 1


class Problem(NamedTuple):
    """One GEMM. Sizes of the operands, not of what the device may be given at once."""

    m: int
    k: int
    n: int
    b_layout: BLayout
    output: Output
    parameters: bool
    relu: bool


class Placement(NamedTuple):
    """Where a GEMM's operands lie: addresses and row strides in bytes. Matrices follow each other."""

    a_address: int
    a_stride: int
    b_address: int
    b_stride: int
    d_address: int
    d_stride: int
    parameter_address: int


class Run(NamedTuple):
    """``size`` products whose A and B are ``a_step`` and ``b_step`` matrices apart."""

    size: int
    a_start: int
    a_step: int
    b_start: int
    b_step: int


class Batches(NamedTuple):
    """How two broadcast batches are run.

    Members
    -------
    shape : tuple of int
        Batch dimensions of the result.
    m_factor : int
        Matrices A that share a B and follow each other: they are run as one with ``m_factor * M`` rows.
    runs : tuple of Run
        In matrices of ``m_factor * M`` rows.
    """

    shape: tuple
    m_factor: int
    runs: tuple


@functools.lru_cache(maxsize=4096)
def batches(a_shape, b_shape):
    """How the products of two batches can be expressed by descriptors.

    Parameters
    ----------
    a_shape, b_shape : tuple of int
        Batch dimensions, which broadcast.

    Returns
    -------
    Batches

    Raises
    ------
    ValueError
        If they do not broadcast.
    """
    length = max(len(a_shape), len(b_shape))
    a_sizes = [1] * (length - len(a_shape)) + list(a_shape)
    b_sizes = [1] * (length - len(b_shape)) + list(b_shape)
    if any(a != b and 1 not in (a, b) for a, b in zip(a_sizes, b_sizes, strict=True)):
        raise ValueError(f"the batch dimensions {a_shape} of a and {b_shape} of b do not broadcast")
    shape = tuple(max(pair) for pair in zip(a_sizes, b_sizes, strict=True))
    m_factor = 1
    while b_sizes and b_sizes[-1] == 1:
        m_factor *= a_sizes.pop()
        b_sizes.pop()
    return Batches(shape, m_factor, tuple(_runs(a_sizes, b_sizes)))


def _runs(a_sizes, b_sizes):
    """The longest runs of constant steps, for dimensions of equal number."""
    pairs = [(0, 0)]
    for a_size, b_size in zip(a_sizes, b_sizes, strict=True):
        pairs = [
            (a * a_size + (i if a_size > 1 else 0), b * b_size + (i if b_size > 1 else 0))
            for a, b in pairs
            for i in range(max(a_size, b_size))
        ]
    start = 0
    while start < len(pairs):
        a_start, b_start = pairs[start]
        count, a_step, b_step = 1, 0, 0
        if start + 1 < len(pairs):
            a_step, b_step = pairs[start + 1][0] - a_start, pairs[start + 1][1] - b_start
            if a_step >= 0 and b_step >= 0:
                while start + count < len(pairs) and pairs[start + count] == (
                    a_start + count * a_step,
                    b_start + count * b_step,
                ):
                    count += 1
        yield Run(count, a_start, a_step if count > 1 else 0, b_start, b_step if count > 1 else 0)
        start += count


def m_block(m, k, config):
    """Rows of A to hold on chip at once: as few blocks as fit, and those as even as can be.

    Raises
    ------
    ValueError
        If not even one row of K operands fits.
    """
    limit = config.max_m_block(k)
    if not limit:
        raise ValueError(
            f"K must be at most {config.a_buffer_lines * config.line_bytes} to fit the A buffer, not {k}"
        )
    return -(-m // -(-m // limit))


def k_parts(k, config):
    """Parts of K of which one row each fits the A buffer: as few as can be, and even.

    All parts begin at a whole line. More than one part yields int32 partial sums, which the host adds:
    since ``k`` is at most ``K_MAX``, no partial sum and no sum of them can overflow.

    Returns
    -------
    list of (int, int)
        Begin and size of each part.

    Raises
    ------
    ValueError
        If ``k`` is beyond ``K_MAX``, where the int32 result could overflow.
    """
    if k > K_MAX:
        raise ValueError(f"K must be at most {K_MAX}, beyond which int32 could overflow, not {k}")
    count = -(-k // (config.a_buffer_lines * config.line_bytes))
    size = k if count == 1 else round_up(-(-k // count), config.line_bytes)
    return [(start, min(size, k - start)) for start in range(0, k, size)]


@functools.lru_cache(maxsize=4096)
def descriptors(problem, batches, placement, config):
    """The descriptors of one GEMM.

    With more than one part of K, each part's D follows that of the part before, is int32 and has no
    epilogue.

    Parameters
    ----------
    problem : Problem
        With M as given, before ``batches.m_factor``.
    batches : Batches
    placement : Placement
    config : ArrayConfig

    Returns
    -------
    tuple of Descriptor

    Raises
    ------
    ValueError
        If a size or address is more than a descriptor can hold.
    """
    rows = problem.m * batches.m_factor
    parts = k_parts(problem.k, config)
    whole = len(parts) == 1
    kn = problem.b_layout is BLayout.KN
    a_matrix = rows * placement.a_stride
    b_matrix = (problem.k if kn else problem.n) * placement.b_stride
    d_matrix = rows * placement.d_stride
    d_part = d_matrix * sum(run.size for run in batches.runs)
    result = []
    for part, (k_start, k_size) in enumerate(parts):
        index = 0
        for run in batches.runs:
            for m_start, m_size in _pieces(rows, M_MAX):
                for start, count in _pieces(run.size, BATCH_MAX):
                    a_index = run.a_start + start * run.a_step
                    b_index = run.b_start + start * run.b_step
                    result.append(
                        Descriptor(
                            m=m_size,
                            k=k_size,
                            n=problem.n,
                            batch=count,
                            m_block=m_block(m_size, k_size, config),
                            b_layout=problem.b_layout,
                            output=problem.output if whole else Output.INT32,
                            parameters=problem.parameters and whole,
                            relu=problem.relu and whole,
                            a_address=placement.a_address
                            + a_index * a_matrix
                            + m_start * placement.a_stride
                            + k_start,
                            b_address=placement.b_address
                            + b_index * b_matrix
                            + k_start * (placement.b_stride if kn else 1),
                            d_address=placement.d_address
                            + part * d_part
                            + (index + start) * d_matrix
                            + m_start * placement.d_stride,
                            parameter_address=placement.parameter_address if whole else 0,
                            a_stride=placement.a_stride,
                            b_stride=placement.b_stride,
                            d_stride=placement.d_stride,
                            a_batch_stride=run.a_step * a_matrix,
                            b_batch_stride=run.b_step * b_matrix,
                            d_batch_stride=d_matrix if count > 1 else 0,
                        )
                    )
            index += run.size
    return tuple(result)


def _pieces(size, limit):
    """Begin and size of as few even pieces of at most ``limit`` as can be."""
    step = -(-size // -(-size // limit))
    return [(start, min(step, size - start)) for start in range(0, size, step)]


class Sizes(NamedTuple):
    """Row strides and sizes in bytes of a GEMM's operands in device memory."""

    a_stride: int
    a_bytes: int
    b_stride: int
    b_bytes: int
    d_stride: int
    d_bytes: int
    parameter_bytes: int


@functools.lru_cache(maxsize=4096)
def sizes(problem, a_batch, b_batch, d_batch, config):
    """What a GEMM needs of device memory, with every row padded to the bus.

    Parameters
    ----------
    problem : Problem
    a_batch, b_batch, d_batch : tuple of int
        Batch dimensions of the operands as stored.
    config : ArrayConfig

    Returns
    -------
    Sizes
    """
    bus = config.bus_bytes
    m, k, n = problem.m, problem.k, problem.n
    b_rows, b_columns = (k, n) if problem.b_layout is BLayout.KN else (n, k)
    parts = k_parts(k, config)
    d_element = 1 if problem.output is Output.INT8 and len(parts) == 1 else 4
    a_stride = round_up(k, bus)
    b_stride = round_up(b_columns, bus)
    d_stride = round_up(n * d_element, bus)
    return Sizes(
        a_stride=a_stride,
        a_bytes=math.prod(a_batch) * m * a_stride,
        b_stride=b_stride,
        b_bytes=math.prod(b_batch) * b_rows * b_stride,
        d_stride=d_stride,
        d_bytes=len(parts) * math.prod(d_batch) * m * d_stride,
        parameter_bytes=n * PARAMETER_BYTES if problem.parameters else 0,
    )
