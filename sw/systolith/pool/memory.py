"""One device memory for several processes, without a name that could be left behind."""

import ctypes
import mmap
import os

import numpy as np

__all__ = ["PAGE_BYTES", "create_memory", "map_memory"]

PAGE_BYTES = mmap.PAGESIZE
MAP_FIXED = 0x10
"""Linux's; not among Python's constants."""


def create_memory(nbytes):
    """A file descriptor of zeros that live as long as somebody has them open or mapped.

    Pages that are never touched cost nothing.
    """
    descriptor = os.memfd_create("systolith")
    os.ftruncate(descriptor, nbytes)
    return descriptor


def map_memory(descriptor, nbytes, *, private_bytes=0):
    """The memory of a file descriptor, but for the first bytes, in place of which are zeros of one's own.

    A device keeps its ring of descriptors at the begin of its memory: in the same place in every device of a
    pool, and every ring its own.

    Parameters
    ----------
    descriptor, nbytes : int
    private_bytes : int
        Whole pages.

    Returns
    -------
    ``(nbytes,) uint8``

    Raises
    ------
    OSError
    """
    array = np.frombuffer(mmap.mmap(descriptor, nbytes), np.uint8)
    if private_bytes:
        _overlay(array.ctypes.data, private_bytes)
    return array


def _overlay(address, nbytes):
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | MAP_FIXED
    if libc.mmap(address, nbytes, mmap.PROT_READ | mmap.PROT_WRITE, flags, -1, 0) != address:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
