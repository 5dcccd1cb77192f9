"""What the ring driver needs of whatever connects it to a device."""

import abc
from typing import NamedTuple

from systolith_hw.config import COUNTER_BITS

__all__ = ["LinkStatistics", "Transport", "cycles_between"]


def cycles_between(before, after):
    """Cycles from one value of the register ``cycles`` to a later one, if fewer than 2³²."""
    return (after - before) % (1 << COUNTER_BITS)


class LinkStatistics(NamedTuple):
    """What has gone over a link since it was opened.

    Members
    -------
    requests : int
        Each counted once, however often it was sent.
    retries : int
        Times that a request was sent again.
    dropped : int
        Requests that the device dropped as damaged or incomplete; what else was sent again had no answer, or
        a damaged one.
    """

    requests: int
    retries: int
    dropped: int


class Transport(abc.ABC):
    """How the driver reaches a device.

    Members
    -------
    memory_base, memory_bytes : int
        The device's memory.
    memory : ``(memory_bytes,) uint8`` array or None
        The memory itself, where the host can see it.
    seconds : float
        Time spent in the device so far.
    cycles_per_beat : int
        How long a beat of memory traffic may take before the device counts as stuck.
    runs_unattended : bool
        Whether the device runs on while the host does something else. One that does not gets what is
        submitted when it is waited for, a whole ring at a time, so that its cycles do not depend on when the
        host asked for what.
    clock_hz : int or None
        The clock that a device says it runs with, which is to be compared with the time on the wall; None
        where it says nothing, or time on the wall means nothing to it.
    line_bytes_per_second : float or None
        The most that the link to the device carries; None where there is no link.
    link_statistics : LinkStatistics or None
        What has gone over the link so far; None where there is none.
    """

    memory_base = 0
    memory_bytes = 0
    memory = None
    seconds = 0.0
    cycles_per_beat = 64
    runs_unattended = True
    clock_hz = None
    line_bytes_per_second = None
    link_statistics = None

    @abc.abstractmethod
    def read_register(self, offset):
        """The 32 bits at a byte offset of the register block."""

    @abc.abstractmethod
    def write_register(self, offset, value):
        """Write 32 bits at a byte offset of the register block."""

    @abc.abstractmethod
    def read(self, address, nbytes):
        """A copy of device memory, ``(nbytes,) uint8``."""

    @abc.abstractmethod
    def write(self, address, data):
        """Write ``(nbytes,) uint8`` to device memory."""

    @abc.abstractmethod
    def wait_interrupt(self, max_cycles):
        """Return True as soon as the interrupt line is high, False if it stays low for that many cycles."""

    def rest(self):  # noqa: B027 -- real memory is not asked
        """Called before an idle device is given something to do."""

    def diagnose(self):
        """What else there is to say about a device that makes no progress."""
        return ""

    @abc.abstractmethod
    def reset(self):
        """Reset the device; its memory stays as it is."""

    @abc.abstractmethod
    def close(self):
        """Give up what the transport holds."""
