"""The link to a device: how often what goes over it is damaged."""

import time

from systolith.driver import RingDevice

from .outcome import failed, not_applicable, passed
from .patterns import background, kept

__all__ = ["check_link"]

ERROR_RATE_MAX = 0.01
"""Of requests that had to be sent again; a sound line needs none."""

PIECE_BYTES = 1024


def check_link(device, effort):
    """Write and read for a while, and see how many requests had to be sent again.

    Whether memory keeps what it got is not the link's concern.
    """
    before = device.transport.link_statistics if isinstance(device, RingDevice) else None
    if before is None:
        return not_applicable(f"target {device.target} has no link")
    address = device.memory_base
    data = background(address, PIECE_BYTES)
    end = time.perf_counter() + effort.measure_seconds
    with kept(device, [(address, PIECE_BYTES)]):
        while True:
            device.write(address, data)
            device.read(address, PIECE_BYTES)
            if time.perf_counter() >= end:
                break
    requests, retries, dropped = (
        after - earlier for after, earlier in zip(device.transport.link_statistics, before, strict=True)
    )
    rate = retries / requests
    outcome = passed if rate <= ERROR_RATE_MAX else failed
    return outcome(
        f"{retries} of {requests:,} requests sent again ({100 * rate:.2g} %); the device dropped {dropped} "
        "as damaged or incomplete",
        requests=requests,
        retries=retries,
        dropped=dropped,
        error_rate=rate,
    )
