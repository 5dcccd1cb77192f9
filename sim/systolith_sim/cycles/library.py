"""The model's C++ as :mod:`ctypes` sees it, built once and kept in the cache."""

import ctypes
import functools
from pathlib import Path

from systolith_sim.cache import Cache, default_cache_folder, digest
from systolith_sim.process import run_all
from systolith_sim.toolchain import find_toolchain

__all__ = ["RawCounters", "RawDescriptor", "RawSetup", "load_model"]

SOURCES = Path(__file__).parent / "native"
LIBRARY = "libcycles.so"
FLAGS = ["-std=c++20", "-O2", "-fPIC", "-fno-gnu-unique", "-shared", "-Wl,-Bsymbolic"]


def _fields(text):
    return [(name, ctypes.c_int64) for name in text.split()]


class RawSetup(ctypes.Structure):
    """``Setup`` of native/types.hpp."""

    _fields_ = _fields(
        "rows columns bus_log2 line_log2 burst_lines parameter_lines a_buffer_lines b_buffer_lines "
        "epilogue_lanes outstanding descriptor_slots "
        "queue read_dma load_to_ready swap_to_load hazard issue_to_store lanes epilogue_places write_queue "
        "read_latency write_latency read_numerator read_denominator write_numerator write_denominator "
        "ring_base ring_slots first_index boundary_bytes slot_bytes record_bytes parameter_bytes"
    )


class RawDescriptor(ctypes.Structure):
    """``Descriptor`` of native/types.hpp."""

    _fields_ = _fields(
        "runs m k n batch m_block by_column parameters result_bytes "
        "a_address b_address d_address parameter_address a_stride b_stride d_stride "
        "a_batch_stride b_batch_stride d_batch_stride"
    )


class RawCounters(ctypes.Structure):
    """``Counters`` of native/types.hpp."""

    _fields_ = _fields("total compute wait_a wait_b wait_output fill drain")


@functools.cache
def load_model(folder=None):
    """The function that predicts, built if it is not in the cache.

    Parameters
    ----------
    folder : path or None
        The cache folder; ``None`` means :func:`~systolith_sim.cache.default_cache_folder`.

    Raises
    ------
    BuildError
        If the compiler is missing or refuses, or the cache folder cannot be used.
    """
    toolchain = find_toolchain()
    sources = sorted(SOURCES.iterdir())
    key = digest(toolchain.identity, *FLAGS, *(source.read_bytes() for source in sources))

    def build(product):
        command = [toolchain.compiler, *FLAGS, "-o", LIBRARY, str(SOURCES / "model.cpp")]
        run_all([command], folder=product, jobs=1, environment={"TMPDIR": str(product)})

    entry = Cache(folder or default_cache_folder()).fetch("cycles", key, build)
    function = ctypes.CDLL(str(entry / LIBRARY)).systolith_predict
    function.argtypes = [
        ctypes.POINTER(RawSetup),
        ctypes.POINTER(RawDescriptor),
        ctypes.c_uint64,
        ctypes.POINTER(RawCounters),
    ]
    function.restype = ctypes.c_int
    return function
