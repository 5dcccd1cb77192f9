"""The panels of A and of B, in the order in which they are fetched."""

from . import nest
from .base import fields, jit, units
from .nest import NEST

__all__ = ["PANEL", "WALK", "advance", "load", "panel"]

PANEL = fields("address stride rows lines beats block later_sweep line block_end")
"""What is requested; its place in the order; whether the next panel waits for its last request."""

WALK = fields("of_b group fetch block parameters_next", nest=NEST)
"""Whose panels these are; bytes along K of one; bytes of a row of a K×N matrix that are fetched for a tile;
the next panel's block, and whether it is epilogue parameters."""


@jit
def set_up(setup, walk):
    """Begin before the first job."""
    walk.group = setup.burst_lines << setup.line_log2
    walk.fetch = max(1 << setup.bus_log2, setup.columns)


@jit
def load(setup, walk, descriptor):
    """Begin a descriptor."""
    if walk.of_b:
        nest.load(walk.nest, descriptor, walk.group if descriptor.by_column else setup.rows, setup.columns)
        walk.parameters_next = descriptor.parameters
    else:
        nest.load(walk.nest, descriptor, walk.group, setup.columns)
        walk.nest.n_size = 1


@jit
def panel(setup, walk, descriptor, panel):
    """Describe the next panel."""
    panel.block = walk.block
    panel.line = walk.nest.k >> setup.line_log2
    if walk.of_b:
        _panel_of_b(setup, walk, descriptor, panel)
    else:
        _panel_of_a(setup, walk, descriptor, panel)


@jit
def _panel_of_a(setup, walk, descriptor, panel):
    at = walk.nest
    depth = nest.k_depth(at)
    matrix = descriptor.a_address + at.batch * descriptor.a_batch_stride
    panel.address = matrix + at.m * descriptor.a_stride + at.k
    panel.stride = descriptor.a_stride
    panel.rows = nest.m_rows(at)
    panel.lines = units(depth, setup.line_log2)
    panel.beats = units(depth, setup.bus_log2)
    panel.block_end = nest.last_k(at) and not nest.last_m(at)


@jit
def _panel_of_b(setup, walk, descriptor, panel):
    at = walk.nest
    depth = nest.k_depth(at)
    n_left = at.n_size - at.n
    matrix = descriptor.b_address + at.batch * descriptor.b_batch_stride
    panel.stride = descriptor.b_stride
    panel.later_sweep = at.n != 0
    if walk.parameters_next:
        fetch = setup.parameter_lines << setup.line_log2
        begin = at.n * setup.parameter_bytes
        panel.address = descriptor.parameter_address + (begin & ~(fetch - 1))
        panel.rows = 1
        panel.lines = setup.parameter_lines
        row_bytes = min(n_left * setup.parameter_bytes + (begin & (fetch - 1)), fetch)
    elif descriptor.by_column:
        panel.address = matrix + at.n * descriptor.b_stride + at.k
        panel.rows = nest.n_columns(at)
        panel.lines = units(depth, setup.line_log2)
        row_bytes = depth
    else:
        panel.address = matrix + at.k * descriptor.b_stride + (at.n & ~(walk.fetch - 1))
        panel.rows = depth
        panel.lines = 1
        row_bytes = min(n_left + (at.n & (walk.fetch - 1)), walk.fetch)
    panel.beats = units(row_bytes, setup.bus_log2)


@jit
def advance(walk, descriptor):
    """On to the next panel; whether there is one."""
    at = walk.nest
    if walk.parameters_next:
        walk.parameters_next = False
        return True
    last = nest.last(at)
    if walk.of_b:
        walk.block += nest.last_k(at) and nest.last_n(at)
        walk.parameters_next = descriptor.parameters and nest.last_k(at)
    else:
        walk.block += nest.last_k(at)
    nest.advance(at)
    return not last
