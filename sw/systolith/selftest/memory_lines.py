"""The lines to device memory: data, and addresses."""

import numpy as np

from .outcome import failed, passed
from .patterns import bits_of, kept, walking_bits

__all__ = ["check_address_lines", "check_data_lines"]


def check_data_lines(device, _effort):
    """Each bit of a word of the memory bus alone, and all but each bit.

    A neighbour gets the opposite in between, so that nothing is read that a line merely still holds.
    """
    nbytes = device.config.bus_bytes
    ones = (1 << 8 * nbytes) - 1
    address = device.memory_base
    with kept(device, [(address, 2 * nbytes)]):
        for value in walking_bits(8 * nbytes):
            device.write(address, _bytes(value, nbytes))
            device.write(address + nbytes, _bytes(value ^ ones, nbytes))
            came = int.from_bytes(device.read(address, nbytes).tobytes(), "little")
            if came != value:
                return failed(
                    f"{bits_of(came ^ value)} of the word at {address:#010x} differ from what was written: "
                    f"{came:#x}, not {value:#x}",
                    address=address,
                    expected=f"{value:#x}",
                    got=f"{came:#x}",
                )
    return passed(f"{8 * nbytes} bits, each alone", bits=8 * nbytes)


def check_address_lines(device, _effort):
    """A byte at every address that differs from the first in one bit: all keep what they got.

    The test of address lines in M. Barr, “Software-Based Memory Testing”, Embedded Systems Programming,
    July 2000, with a value of its own for each byte, so that what is wrong can be named.
    """
    base, size = device.memory_base, device.memory_bytes
    lines = [bit for bit in range(size.bit_length()) if 1 << bit < size]
    addresses = [base, *(base + (1 << bit) for bit in lines)]
    with kept(device, [(address, 1) for address in addresses]):
        for invert in (0, 0xFF):
            values = {address: index + 1 ^ invert for index, address in enumerate(addresses)}
            for address, value in values.items():
                device.write(address, np.array([value], np.uint8))
            for address, value in values.items():
                came = int(device.read(address, 1)[0])
                if came != value:
                    return _wrong(address, value, came, values)
    return passed(f"{len(lines)} lines, bytes included", lines=len(lines))


def _wrong(address, value, came, values):
    text = f"the byte at {address:#010x} is {came:#04x}, not {value:#04x}"
    others = [other for other, written in values.items() if written == came]
    if others:
        text += (
            f", which was written to {others[0]:#010x}: "
            f"{bits_of(address ^ others[0])} of the address make no difference"
        )
    return failed(text, address=address, expected=value, got=came)


def _bytes(value, nbytes):
    return np.frombuffer(value.to_bytes(nbytes, "little"), np.uint8)
