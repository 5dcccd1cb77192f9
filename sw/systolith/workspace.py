"""Device memory for the operands and results of queues, reused from one to the next."""

from .errors import OutOfDeviceMemory
from .memory import round_up

__all__ = ["Lease", "Workspace"]

CHUNK_BYTES = 1 << 16
"""Least device memory that a workspace takes."""


class Workspace:
    """Device memory that is handed out from its begin and taken back as a whole."""

    def __init__(self, device):
        self._device = device
        self._buffers = []
        self._next = self._end = 0
        self._first_bytes = CHUNK_BYTES

    def take(self, nbytes):
        """The address of so many bytes more.

        Raises
        ------
        OutOfDeviceMemory
        """
        nbytes = round_up(nbytes, self._device.alignment_bytes)
        address = self._next
        if address + nbytes > self._end:
            address = self._grow(nbytes)
        self._next = address + nbytes
        return address

    def _grow(self, nbytes):
        if len(self._buffers) == 1 and self._next == self._buffers[0].address:
            self.release()
        wanted = max(nbytes, self._first_bytes, sum(buffer.size for buffer in self._buffers))
        buffer = self._allocate_if_free(wanted) or self._device.allocate(nbytes)
        self._buffers.append(buffer)
        self._end = buffer.address + buffer.size
        return buffer.address

    def _allocate_if_free(self, nbytes):
        try:
            return self._device.allocate(nbytes)
        except OutOfDeviceMemory:
            return None

    def recycle(self):
        """Take everything back; what needed several buffers gets one next time."""
        if len(self._buffers) > 1:
            self._first_bytes = sum(buffer.size for buffer in self._buffers)
            self.release()
        elif self._buffers:
            self._next = self._buffers[0].address

    def release(self):
        """Give the memory back to the device."""
        for buffer in self._buffers:
            # A lease may end in any thread, in the middle of an allocation.
            self._device.give_back(buffer)
        self._buffers = []
        self._next = self._end = 0


class Lease:
    """Use of a workspace until nobody refers to this object any more."""

    __slots__ = ("_device", "_workspace", "take")

    def __init__(self, device):
        self._device = device
        self._workspace = device.idle_workspaces.pop() if device.idle_workspaces else Workspace(device)
        self.take = self._workspace.take

    def __del__(self):
        if not self._device.closed:
            self._workspace.recycle()
            self._device.idle_workspaces.append(self._workspace)
