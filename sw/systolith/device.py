"""What every target can do."""

import abc
import contextlib

import numpy as np
from systolith_hw import Code

from .errors import (
    BusError,
    DescriptorRejected,
    DeviceClosed,
    OutOfDeviceMemory,
    untraced,
)
from .memory import Allocator
from .records import Trace

__all__ = ["Device", "completion_error"]

ALIGNMENT_BYTES = 64
"""Least alignment of a buffer: a cache line, and a multiple of every bus."""


class Device(abc.ABC):
    """An accelerator and its memory. Not safe for concurrent use by several threads.

    Parameters
    ----------
    config : ArrayConfig
    memory_base : int
        First address of the device's memory.
    memory_bytes : int
        Its size. Only what the device's addresses reach is used, and told as ``memory_bytes``.
    memory : ``(memory_bytes,) uint8`` array or None
        The memory itself where the host can see it; writing it writes the device's memory.

    Members
    -------
    target : str
        The target's name.
    trace : Trace
        One record per GEMM, since the device was opened or the trace was cleared.

    Raises
    ------
    ValueError
        If the device's addresses do not reach the memory.
    """

    target = ""

    def __init__(self, config, *, memory_base, memory_bytes, memory):
        if memory_base >= 1 << config.address_bits:
            raise ValueError(
                f"memory_base must be below {1 << config.address_bits:#x}, the device having "
                f"{config.address_bits} bits of an address, not {memory_base:#x}"
            )
        self.config = config
        self.memory_base = memory_base
        self.memory_bytes = min(memory_bytes, (1 << config.address_bits) - memory_base)
        self.memory = memory
        self.alignment_bytes = max(ALIGNMENT_BYTES, config.bus_bytes)
        self.trace = Trace()
        self.closed = False
        self.idle_workspaces = []
        self._allocator = Allocator(memory_base, self.memory_bytes, self.alignment_bytes)
        self._submitted = 0
        self._earlier = []

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def __repr__(self):
        state = "closed" if self.closed else f"{self.free_bytes} of {self.memory_bytes} bytes free"
        return f"<{self.target} device {self.config}: {state}>"

    @property
    def free_bytes(self):
        """Bytes of device memory that are not allocated."""
        return self._allocator.free_bytes

    @property
    def largest_free_bytes(self):
        """Bytes in the largest block that is not allocated."""
        return self._allocator.largest_free_bytes

    def allocate(self, nbytes, *, alignment=1):
        """Take device memory, aligned to 64 bytes, to the bus and to ``alignment``, a power of two.

        Returns
        -------
        Buffer

        Raises
        ------
        ValueError
            If ``nbytes`` is not positive.
        OutOfDeviceMemory
            If it does not fit.
        """
        self.check_open()
        try:
            return self._allocator.allocate(nbytes, alignment)
        except OutOfDeviceMemory:
            if not self.idle_workspaces:
                raise
        while self.idle_workspaces:
            self.idle_workspaces.pop().release()
        return self._allocator.allocate(nbytes, alignment)

    def free(self, buffer):
        """Give a buffer back. Does nothing once the device is closed.

        Raises
        ------
        ValueError
            If the buffer is not allocated.
        """
        if not self.closed:
            self._allocator.free(buffer)

    def give_back(self, buffer):
        """:meth:`free` for finalizers, which run in any thread and in the middle of anything."""
        self._allocator.give_back(buffer)

    def write(self, address, array):
        """Copy an array's elements, in C order, to device memory.

        Raises
        ------
        ValueError
            If they do not lie within the device's memory.
        """
        data = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
        self._check_range(address, data.size)
        self._write(address, data)

    def read(self, address, nbytes):
        """Copy device memory into a new ``(nbytes,) uint8`` array.

        Raises
        ------
        ValueError
            If the bytes do not lie within the device's memory.
        """
        self._check_range(address, nbytes)
        return self._read(address, nbytes)

    def view(self, address, nbytes):
        """Device memory as an ``(nbytes,) uint8`` array without a copy.

        Raises
        ------
        ValueError
            If the bytes do not lie within the device's memory.
        TypeError
            If the host cannot see this target's memory (:attr:`memory` is None).
        """
        self._check_range(address, nbytes)
        if self.memory is None:
            raise TypeError(f"the host cannot see the memory of target {self.target}; use read and write")
        offset = address - self.memory_base
        return self.memory[offset : offset + nbytes]

    def submit(self, descriptors):
        """Queue descriptors; they run in order, overlapping, as soon as the device can.

        A simulated device can when it is waited for: everything submitted until then is one queue, and what
        it takes does not depend on when the host submitted what.

        The memory that they name belongs to the device until :meth:`wait` has returned.

        Parameters
        ----------
        descriptors : sequence of Descriptor

        Returns
        -------
        range
            Their tickets: consecutive numbers since the device was opened.
        """
        self.check_open()
        self._submit(descriptors)
        first, self._submitted = self._submitted, self._submitted + len(descriptors)
        return range(first, self._submitted)

    def wait(self):
        """Wait until everything submitted has ended.

        Returns
        -------
        list of Completion
            In the order of submission. ``counters`` is None on a target without a notion of cycles.

        Raises
        ------
        DescriptorRejected, BusError
            What the first descriptor that did not succeed ended with. All descriptors have ended, and the
            exception's ``completions`` holds the whole list; the device can be used on.
        NoProgress
            If the device does not complete what it was given; :meth:`reset` makes it usable again.
        WorkerDied
            If a process of a pool ended. As with what else a device of a pool fails with, the others have
            ended what they were given, and the completions of what is lost are pending.
        """
        ended = self.collect()
        completions = [completion for _, completion, _ in ended]
        for descriptor, completion, _ in ended:
            if completion.code is not Code.OK:
                error = completion_error(descriptor, completion)
                error.completions = completions
                raise untraced(error)
        return completions

    def collect(self):
        """:meth:`wait` without the check.

        Returns
        -------
        list of (Descriptor, Completion, float)
            What was submitted, how it ended, and the seconds that the target took for it.

        Raises
        ------
        NoProgress
        """
        self.check_open()
        earlier, self._earlier = self._earlier, []
        return earlier + self._collect()

    def execute(self, descriptors):
        """Submit descriptors and wait for them; what was submitted before is kept for :meth:`collect`.

        Parameters
        ----------
        descriptors : sequence of Descriptor

        Returns
        -------
        list of (Descriptor, Completion, float)
            As from :meth:`collect`, for these alone.

        Raises
        ------
        NoProgress
        """
        self.submit(descriptors)
        ended = self._collect()
        first = len(ended) - len(descriptors)
        self._earlier += ended[:first]
        return ended[first:]

    def queue(self):
        """A :class:`~systolith.queue.Queue`: several GEMMs that the device runs back to back."""
        from .queue import Queue

        return Queue(self)

    @contextlib.contextmanager
    def tracing(self):
        """Collect the records of a ``with`` block alone in a trace of its own.

        Yields
        ------
        Trace
            Filled as the block runs. The device's own trace does not get these records.
        """
        outer, self.trace = self.trace, Trace()
        try:
            yield self.trace
        finally:
            self.trace = outer

    def reset(self):
        """Forget everything submitted and make the device usable again. Memory stays as it is."""
        self.check_open()
        self._earlier = []
        self._reset()

    def close(self):
        """Give up the device. May be called again."""
        if not self.closed:
            self.closed = True
            self.idle_workspaces.clear()
            self._close()

    def check_open(self):
        """Raise :class:`DeviceClosed` if the device is closed."""
        if self.closed:
            raise DeviceClosed(self.target)

    def _check_range(self, address, nbytes):
        self.check_open()
        end = self.memory_base + self.memory_bytes
        if nbytes < 0 or address < self.memory_base or address + nbytes > end:
            raise ValueError(
                f"{nbytes} bytes at {address:#010x} are not within the device memory, "
                f"{self.memory_base:#010x} to {end:#010x}"
            )

    def _write(self, address, data):
        self.view(address, data.size)[:] = data

    def _read(self, address, nbytes):
        return self.view(address, nbytes).copy()

    @abc.abstractmethod
    def _submit(self, descriptors):
        """Queue descriptors."""

    @abc.abstractmethod
    def _collect(self):
        """Wait for everything queued; a list of (Descriptor, Completion, seconds)."""

    @abc.abstractmethod
    def _reset(self):
        """Forget everything queued."""

    def _close(self):  # noqa: B027 -- nothing to give up by default
        """Give up what the target holds."""


def completion_error(descriptor, completion):
    """The exception for a completion that is not OK."""
    if completion.code is Code.PENDING:
        # Only a pool gives up a descriptor and goes on.
        return completion.error
    if completion.code is Code.REJECTED:
        return DescriptorRejected(completion.reason, descriptor)
    access = "read" if completion.code is Code.READ_ERROR else "write"
    return BusError(access, completion.fault_address)
