"""The accelerator's own way to device memory: one product at a time to and from addresses far apart."""

import numpy as np
from systolith_hw import Descriptor, Output

from .outcome import failed, passed
from .patterns import bits_of, kept

__all__ = ["check_device_addresses"]


def check_device_addresses(device, _effort):
    """1×1×1 products whose D, then whose A, lie at addresses that differ in one bit.

    The host's way to memory and the accelerator's may be wired differently: what the accelerator writes is
    read by the host, and what it reads there again comes back through a D that lies elsewhere.
    """
    alignment = device.alignment_bytes
    results = device.allocate(alignment * (device.memory_bytes.bit_length() * 2 + 2))
    try:
        block = device.allocate(device.largest_free_bytes)
        try:
            return _check(device, results.address, _addresses(device, block), alignment)
        finally:
            device.free(block)
    finally:
        device.free(results)


def _addresses(device, block):
    """Addresses in a block of memory, each another one but for one bit."""
    config = device.config
    reach = min(device.memory_base + device.memory_bytes, 1 << config.address_bits)
    lines = range(config.bus_bytes.bit_length() - 1, reach.bit_length())
    starts = (block.address, device.memory_base)
    candidates = {start + (1 << line) for start in starts for line in lines}
    end = min(block.address + block.size, reach) - config.bus_bytes
    return [block.address, *sorted(each for each in candidates if block.address <= each <= end)]


def _check(device, results, addresses, alignment):
    addresses = list(dict.fromkeys(addresses))
    spread = [results + alignment * index for index in range(len(addresses) + 1)]
    one, *spread = spread
    values = {address: index + 1 for index, address in enumerate(addresses)}
    device.write(one, np.array([1], np.uint8))
    with kept(device, [(address, 4) for address in addresses]):
        for place, value in zip(spread, values.values(), strict=True):
            device.write(place, np.array([value], np.uint8))
        _copy(device, zip(spread, addresses, strict=True), one)
        for address, value in values.items():
            came = int(device.read(address, 4).view("<i4")[0])
            if came != value:
                return _wrong("wrote", address, value, came, values)
        _copy(device, zip(addresses, spread, strict=True), one)
        for place, (address, value) in zip(spread, values.items(), strict=True):
            came = int(device.read(place, 4).view("<i4")[0])
            if came != value:
                return _wrong("read", address, value, came, values)
    return passed(f"{len(addresses)} addresses up to {addresses[-1]:#010x}", addresses=len(addresses))


def _copy(device, pairs, one):
    """Have the accelerator multiply the byte at each first address by one, into the second."""
    stride = device.config.bus_bytes
    device.submit(
        [
            Descriptor(
                m=1,
                k=1,
                n=1,
                m_block=1,
                output=Output.INT32,
                a_address=source,
                b_address=one,
                d_address=destination,
                a_stride=stride,
                b_stride=stride,
                d_stride=stride,
            )
            for source, destination in pairs
        ]
    )
    device.wait()


def _wrong(what, address, value, came, values):
    text = f"the accelerator {what} {came} instead of {value} at {address:#010x}"
    other = next((other for other, written in values.items() if written == came), None)
    if other is not None:
        text += (
            f", which belongs to {other:#010x}: {bits_of(address ^ other)} of the address make no difference"
        )
    return failed(text, address=address, expected=value, got=came)
