"""The clock: cycles counted by the device against time on the wall."""

import time
from typing import NamedTuple

from systolith.driver import RingDevice
from systolith.transport import cycles_between

from .outcome import failed, not_applicable, passed

__all__ = ["check_clock"]

TOLERANCE = 0.01
"""Of the clock that the device tells: far more than a crystal is off, far less than a wrong PLL setting."""

READS = 5
"""Of which the quickest tells most exactly when it was."""

SECONDS_MAX = 5.0
"""For which it measures, however slow a read is."""


def check_clock(device, effort):
    """The clock that the device really has, beside the one that it tells.

    It is measured for so long that the times of reading are uncertain by no more than the tolerance.
    """
    if not isinstance(device, RingDevice):
        return not_applicable(f"target {device.target} has no clock")
    if not device.transport.runs_unattended:
        return not_applicable("a simulation's clock stands still while nobody waits for it")
    before = _read(device)
    time.sleep(min(max(effort.measure_seconds, 2 * before.doubt_seconds / TOLERANCE), SECONDS_MAX))
    after = _read(device)
    seconds = after.seconds - before.seconds
    measured = cycles_between(before.cycles, after.cycles) / seconds
    wanted = device.transport.clock_hz
    figures = {"measured_hz": measured, "clock_hz": wanted}
    if wanted is None:
        return not_applicable(f"{measured / 1e6:.4g} MHz; nothing to compare with", **figures)
    text = f"{measured / 1e6:.4g} MHz, the device tells {wanted / 1e6:.4g} MHz"
    allowed = TOLERANCE + (before.doubt_seconds + after.doubt_seconds) / seconds
    return (passed if abs(measured / wanted - 1) <= allowed else failed)(text, **figures)


class _Reading(NamedTuple):
    """The count of cycles, and when it was read, to within so many seconds each way."""

    cycles: int
    seconds: float
    doubt_seconds: float


def _read(device):
    readings = []
    for _ in range(READS):
        begin = time.perf_counter()
        cycles = device.read_register("cycles")
        end = time.perf_counter()
        readings.append(_Reading(cycles, (begin + end) / 2, (end - begin) / 2))
    return min(readings, key=lambda reading: reading.doubt_seconds)
