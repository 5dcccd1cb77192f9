"""How fast bytes get to device memory and back, and how fast the device itself gets at them."""

import time

import numpy as np
from systolith_hw import Descriptor, Output

from systolith.driver import RingDevice
from systolith.memory import round_up

from .outcome import failed, not_applicable, passed
from .patterns import background, kept, size_text

__all__ = ["check_device_memory", "check_host_memory"]

FIRST_BYTES = 1024
LAST_BYTES = 1 << 24

STREAMED_BYTES = 1 << 17
"""Of B; less where there is less memory."""


def check_host_memory(device, effort):
    """Write and read ever larger pieces until one takes long enough to be measured."""
    address = device.memory_base
    limit = min(LAST_BYTES, device.memory_bytes)
    nbytes = min(FIRST_BYTES, limit)
    while True:
        wanted = background(address, nbytes)
        with kept(device, [(address, nbytes)]):
            begin = time.perf_counter()
            device.write(address, wanted)
            between = time.perf_counter()
            came = device.read(address, nbytes)
            end = time.perf_counter()
        if not np.array_equal(came, wanted):
            return failed(f"{int((came != wanted).sum())} of {nbytes} bytes are not what was written")
        if end - begin >= effort.measure_seconds / 4 or nbytes == limit:
            break
        nbytes = min(2 * nbytes, limit)
    to_device, from_device = nbytes / (between - begin), nbytes / (end - between)
    line = device.transport.line_bytes_per_second if isinstance(device, RingDevice) else None
    beside = "" if line is None else f"; the line carries at most {_rate(line)}"
    if device.memory is not None:
        beside = "; it is the host's own memory"
    return passed(
        f"{_rate(to_device)} to the device, {_rate(from_device)} from it, {size_text(nbytes)} each{beside}",
        to_device_bytes_per_second=to_device,
        from_device_bytes_per_second=from_device,
        line_bytes_per_second=line,
    )


def check_device_memory(device, _effort):
    """Bytes per cycle of a GEMM that uses every element of B once: M is 1."""
    config = device.config
    bus = config.bus_bytes
    n = 4 * max(config.columns, bus)
    # Of what the counters of a device can count, a quarter leaves time enough for a slow memory.
    space = min(STREAMED_BYTES, device.largest_free_bytes // 2, bus << config.counter_bits - 2)
    k = max(config.rows, space // n // config.rows * config.rows)
    k = min(k, config.a_buffer_lines * config.line_bytes, 1 << config.dimension_bits - 1)
    b_offset = round_up(k, device.alignment_bytes)
    d_offset = b_offset + k * n
    buffer = device.allocate(d_offset + 4 * n)
    try:
        descriptor = Descriptor(
            m=1,
            k=k,
            n=n,
            m_block=1,
            output=Output.INT32,
            a_address=buffer.address,
            b_address=buffer.address + b_offset,
            d_address=buffer.address + d_offset,
            a_stride=round_up(k, bus),
            b_stride=n,
            d_stride=4 * n,
        )
        device.submit([descriptor])
        [completion] = device.wait()
    finally:
        device.free(buffer)
    if completion.counters is None:
        return not_applicable(f"target {device.target} has no notion of cycles")
    cycles = completion.counters.total
    rate = (k + k * n + 4 * n) / cycles
    return passed(
        f"{rate:.2f} of {bus} bytes per cycle, 1×{k}×{n} in {cycles:,} cycles",
        bytes_per_cycle=rate,
        bus_bytes=bus,
        cycles=cycles,
    )


def _rate(bytes_per_second):
    return f"{size_text(bytes_per_second)}/s"
