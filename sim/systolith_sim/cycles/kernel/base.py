"""What the units share: how they are compiled, how they write times, how their state is laid out."""

import functools

import numba
import numpy as np

__all__ = ["ALWAYS", "NEVER", "OPTIONS", "ceil_div", "fields", "inlined", "jit", "units"]

NEVER = 1 << 60
"""A time that is not known yet."""

ALWAYS = -NEVER
"""A time that has always passed."""

OPTIONS = {
    # Divisors are never zero.
    "error_model": "numpy",
    # No function makes an array, and counting references to those they are given would take most of the time.
    "_nrt": False,
}

jit = functools.partial(numba.njit, **OPTIONS)
"""Compile a function. Only the one that Python calls is cached, with all that it calls."""

inlined = functools.partial(jit, forceinline=True)
"""Likewise, as part of whatever calls it."""


def fields(names, **nested):
    """A record of 64-bit integers, of which the ``nested`` ones are of another layout."""
    return np.dtype([*((name, np.int64) for name in names.split()), *nested.items()])


@inlined
def ceil_div(value, by):
    """``value / by`` rounded up; both positive."""
    return (value + by - 1) // by


@inlined
def units(value, log2):
    """How many units of ``2**log2`` hold ``value``."""
    return (value + (1 << log2) - 1) >> log2
