"""A descriptor in parts that several devices can run, and how long each may take."""

import dataclasses

from systolith_hw import BLayout, Output
from systolith_hw.config import PARAMETER_BYTES

from systolith.tiling import m_block

__all__ = ["START_CYCLES", "cut_in_two", "estimate_cycles"]

START_CYCLES = 256
"""Until the first row of A enters the array and after the last result leaves it, about."""


def estimate_cycles(descriptor, config):
    """About how many cycles a descriptor takes: what the busiest of array and bus needs.

    Parameters
    ----------
    descriptor : Descriptor
    config : ArrayConfig

    Returns
    -------
    int
    """
    if descriptor.check(config):
        return START_CYCLES  # the device rejects it
    d, bus = descriptor, config.bus_bytes
    # However few rows a pass has, the next weights take as long to load.
    least_rows = max(config.rows, config.columns)
    blocks = -(-d.m // d.m_block)
    rows = (blocks - 1) * max(d.m_block, least_rows) + max(d.m - (blocks - 1) * d.m_block, least_rows)
    compute = -(-d.k // config.rows) * -(-d.n // config.columns) * rows
    read = d.k * (d.m + blocks * d.n) // bus
    write = d.m * d.n * (1 if d.output is Output.INT8 else 4) // bus
    return START_CYCLES + d.batch * max(compute, read, write)


def cut_in_two(descriptor, cycles, config):
    """Two parts of a descriptor of which the first takes about so many cycles.

    They are cut along the batch, M or N, where it costs least.

    Parameters
    ----------
    descriptor : Descriptor
    cycles : float
    config : ArrayConfig

    Returns
    -------
    (Descriptor, Descriptor) or None
        ``None`` if it cannot be cut.
    """
    if descriptor.check(config):
        return None
    share = (cycles - START_CYCLES) / (estimate_cycles(descriptor, config) - START_CYCLES)
    best, least_cost = None, float("inf")
    for cut, size, step in (
        (_batches, descriptor.batch, 1),
        (_rows, descriptor.m, 1),
        (_columns, descriptor.n, max(config.columns, config.bus_bytes)),
    ):
        first = round(size * share / step) * step
        if 0 < first < size:
            parts = cut(descriptor, 0, first, config), cut(descriptor, first, size - first, config)
            estimates = [estimate_cycles(part, config) for part in parts]
            cost = sum(estimates) + abs(estimates[0] - cycles)
            if cost < least_cost:
                best, least_cost = parts, cost
    return best


def _batches(d, start, size, _config):
    return dataclasses.replace(
        d,
        batch=size,
        a_address=d.a_address + start * d.a_batch_stride,
        b_address=d.b_address + start * d.b_batch_stride,
        d_address=d.d_address + start * d.d_batch_stride,
    )


def _rows(d, start, size, config):
    return dataclasses.replace(
        d,
        m=size,
        m_block=m_block(size, d.k, config),
        a_address=d.a_address + start * d.a_stride,
        d_address=d.d_address + start * d.d_stride,
    )


def _columns(d, start, size, _config):
    return dataclasses.replace(
        d,
        n=size,
        b_address=d.b_address + start * (1 if d.b_layout is BLayout.KN else d.b_stride),
        d_address=d.d_address + start * (1 if d.output is Output.INT8 else 4),
        parameter_address=d.parameter_address + start * PARAMETER_BYTES * d.parameters,
    )
