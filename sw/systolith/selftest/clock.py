"""The clock: cycles counted by the device against time on the wall."""

import time

from systolith.driver import RingDevice
from systolith.transport import cycles_between

from .outcome import failed, not_applicable, passed

__all__ = ["check_clock"]

TOLERANCE = 0.01
"""Of the clock that the device tells: far more than a crystal is off, far less than a wrong PLL setting."""


def check_clock(device, effort):
    """The clock that the device really has, beside the one that it tells."""
    if not isinstance(device, RingDevice):
        return not_applicable(f"target {device.target} has no clock")
    if not device.transport.runs_unattended:
        return not_applicable("a simulation's clock stands still while nobody waits for it")
    before, begin, _ = _read(device)
    time.sleep(effort.measure_seconds)
    after, end, doubt = _read(device)
    measured = cycles_between(before, after) / (end - begin)
    wanted = device.transport.clock_hz
    figures = {"measured_hz": measured, "clock_hz": wanted}
    if wanted is None:
        return passed(f"{measured / 1e6:.4g} MHz; nothing to compare with", **figures)
    text = f"{measured / 1e6:.4g} MHz, the device tells {wanted / 1e6:.4g} MHz"
    allowed = TOLERANCE + 2 * doubt / (end - begin)
    return (passed if abs(measured / wanted - 1) <= allowed else failed)(text, **figures)


def _read(device):
    """The count of cycles, when it was read, and for how long that is uncertain, in seconds."""
    begin = time.perf_counter()
    cycles = device.read_register("cycles")
    end = time.perf_counter()
    return cycles, (begin + end) / 2, end - begin
