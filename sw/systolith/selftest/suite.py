"""The checks in the order in which they build on each other."""

import time
from typing import NamedTuple

from systolith.errors import DeviceError, OutOfDeviceMemory

from .bandwidth import check_device_memory, check_host_memory
from .clock import check_clock
from .device_addresses import check_device_addresses
from .link import check_link
from .march import check_blocks, check_words
from .memory_lines import check_address_lines, check_data_lines
from .outcome import Effort, Outcome, Status, failed, not_applicable
from .products import check_elements, check_gemms, check_queue
from .registers import check_cycle_counter, check_identity, check_read_only, check_writable

__all__ = ["CHECKS", "Effort", "Row", "selftest"]

CHECKS = {
    "identity registers": check_identity,
    "read-only registers": check_read_only,
    "writable registers": check_writable,
    "cycle counter": check_cycle_counter,
    "link": check_link,
    "clock": check_clock,
    "memory data lines": check_data_lines,
    "memory address lines": check_address_lines,
    "memory words": check_words,
    "memory blocks": check_blocks,
    "host bandwidth": check_host_memory,
    "device addresses": check_device_addresses,
    "processing elements": check_elements,
    "growing GEMMs": check_gemms,
    "queued GEMMs": check_queue,
    "device bandwidth": check_device_memory,
}
"""From the name of a check to the function: of a device and an :class:`Effort`, an :class:`Outcome`."""


ERROR_RATE_MAX = 0.5
"""Of a link over which what follows would take minutes."""


class Row(NamedTuple):
    """One check that was made.

    Members
    -------
    name : str
        A key of :data:`CHECKS`.
    outcome : Outcome
    seconds : float
        That it took.
    """

    name: str
    outcome: Outcome
    seconds: float


def selftest(device, *, effort, progress=None):
    """Check a device that has nothing to do, from its registers to whole products.

    What is allocated in device memory is as before afterwards, and nothing more of it is.

    Parameters
    ----------
    device : Device
    effort : Effort
    progress : callable or None
        Called with the name of each check before it begins.

    Returns
    -------
    list of Row
        One for each of :data:`CHECKS`.
    """
    rows = []
    why_not = None
    with device.tracing():
        for name, check in CHECKS.items():
            if progress:
                progress(name)
            begin = time.perf_counter()
            outcome = not_applicable(f"not run: {why_not}") if why_not else _run(check, device, effort)
            rows.append(Row(name, outcome, time.perf_counter() - begin))
            if outcome.status is Status.FAIL:
                why_not = _why_end(device, outcome)
    # The runtime keeps what products needed for the next ones.
    while device.idle_workspaces:
        device.idle_workspaces.pop().release()
    return rows


def _run(check, device, effort):
    try:
        return check(device, effort)
    except OutOfDeviceMemory as error:
        return not_applicable(f"needs more memory: {error}")
    except DeviceError as error:
        return failed(str(error))


def _why_end(device, outcome):
    """Why nothing more can be found out after a check that failed; None if it can."""
    if outcome.figures.get("error_rate", 0.0) > ERROR_RATE_MAX:
        return "too much is lost on the link"
    try:
        device.reset()
    except DeviceError:
        return "the device does not answer"
    return None
