"""The loop nest that every unit walks: ``TileLoop``."""

from .base import fields, inlined, jit

NEST = fields("m k n batch m_size k_size n_size batches m_step k_step n_step")
"""Where the iteration begins, and the sizes and steps of the nest."""


@jit
def load(nest, descriptor, k_step, n_step):
    """Begin a nest over a descriptor's sizes."""
    nest.m_size = descriptor.m
    nest.k_size = descriptor.k
    nest.n_size = descriptor.n
    nest.batches = descriptor.batch
    nest.m_step = descriptor.m_block
    nest.k_step = k_step
    nest.n_step = n_step
    nest.m = nest.k = nest.n = nest.batch = 0


@inlined
def m_rows(nest):
    """Rows of this block of M."""
    return min(nest.m_step, nest.m_size - nest.m)


@inlined
def n_columns(nest):
    """Columns of this tile of N."""
    return min(nest.n_step, nest.n_size - nest.n)


@inlined
def k_depth(nest):
    """Length of this step along K."""
    return min(nest.k_step, nest.k_size - nest.k)


@inlined
def last_k(nest):
    """Whether this step is the last along K."""
    return nest.k_size - nest.k <= nest.k_step


@inlined
def last_n(nest):
    """Whether this tile is the last along N."""
    return nest.n_size - nest.n <= nest.n_step


@inlined
def last_m(nest):
    """Whether this block is the last along M."""
    return nest.m_size - nest.m <= nest.m_step


@inlined
def last(nest):
    """Whether this iteration is the last of all."""
    return last_k(nest) and last_n(nest) and last_m(nest) and nest.batch == nest.batches - 1


@jit
def advance(nest):
    """Go on to the next iteration."""
    if not last_k(nest):
        nest.k += nest.k_step
        return
    nest.k = 0
    if not last_n(nest):
        nest.n += nest.n_step
        return
    nest.n = 0
    if not last_m(nest):
        nest.m += nest.m_step
        return
    nest.m = 0
    nest.batch += 1
