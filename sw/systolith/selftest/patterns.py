"""What is written to find out whether it is kept."""

import contextlib

import numpy as np

__all__ = ["background", "bits_of", "kept", "size_text", "walking_bits"]


def walking_bits(bits):
    """Each single bit, and all but each single bit, of a word.

    Parameters
    ----------
    bits : int

    Returns
    -------
    list of int
    """
    ones = (1 << bits) - 1
    return [value for bit in range(bits) for value in (1 << bit, ones ^ 1 << bit)]


def background(address, nbytes):
    """Bytes that differ from place to place, so that data in the wrong place is noticed.

    Each aligned word of 32 bits is a mixed function of its address.

    Parameters
    ----------
    address, nbytes : int
        Multiples of 4.

    Returns
    -------
    ``(nbytes,) uint8``
    """
    words = np.arange(address >> 2, address + nbytes >> 2, dtype=np.uint64).astype(np.uint32)
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        words ^= words >> np.uint32(shift)
        words *= np.uint32(factor)
    return (words ^ words >> np.uint32(16)).view(np.uint8)


def bits_of(value):
    """The numbers of the bits that are set, as text such as ``"bit 3"`` or ``"bits 0, 5"``."""
    bits = [bit for bit in range(int(value).bit_length()) if value >> bit & 1]
    return f"bit{'s' if len(bits) > 1 else ''} {', '.join(map(str, bits))}"


@contextlib.contextmanager
def kept(device, pieces):
    """Put pieces of device memory back as they were, at the end of a ``with`` block.

    Parameters
    ----------
    device : Device
    pieces : iterable of (int, int)
        Address and bytes of each.
    """
    before = [(address, device.read(address, nbytes)) for address, nbytes in pieces]
    try:
        yield
    finally:
        for address, data in before:
            device.write(address, data)


def size_text(nbytes):
    """A number of bytes in words."""
    for unit, name in ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
        if nbytes >= unit:
            return f"{nbytes / unit:.4g} {name}"
    return f"{nbytes:.4g} bytes"
