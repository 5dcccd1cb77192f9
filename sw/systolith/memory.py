"""Who owns which bytes of a device's memory."""

import bisect
import collections
import dataclasses

from .errors import OutOfDeviceMemory

__all__ = ["Allocator", "Buffer", "round_up"]


def round_up(value, multiple):
    """The smallest multiple of ``multiple`` that is at least ``value``."""
    return -(-value // multiple) * multiple


@dataclasses.dataclass(frozen=True, slots=True)
class Buffer:
    """An allocated piece of device memory.

    Parameters
    ----------
    address : int
        Address of its first byte.
    size : int
        Bytes, rounded up to the allocator's granularity.
    """

    address: int
    size: int


class Allocator:
    """First fit over one address range; neighbouring free blocks are joined.

    Parameters
    ----------
    base : int
        First address.
    size : int
        Bytes.
    granularity : int
        Every address and size is a multiple of this power of two.
    """

    def __init__(self, base, size, granularity):
        self.granularity = granularity
        self.total_bytes = size
        start = round_up(base, granularity)
        end = (base + size) // granularity * granularity
        self._starts = [start] if end > start else []
        self._sizes = {start: end - start} if end > start else {}
        self._allocated = {}
        self._given_back = collections.deque()

    @property
    def free_bytes(self):
        """Bytes in all free blocks."""
        self._take_back()
        return sum(self._sizes.values())

    @property
    def largest_free_bytes(self):
        """Bytes in the largest free block."""
        self._take_back()
        return max(self._sizes.values(), default=0)

    def allocate(self, nbytes, alignment=1):
        """Take ``nbytes`` bytes, at a multiple of ``alignment``.

        Returns
        -------
        Buffer

        Raises
        ------
        ValueError
            If ``nbytes`` is not positive.
        OutOfDeviceMemory
            If no free block is large enough.
        """
        if nbytes <= 0:
            raise ValueError(f"an allocation must have at least 1 byte, not {nbytes}")
        self._take_back()
        size = round_up(nbytes, self.granularity)
        alignment = max(alignment, self.granularity)
        for index, start in enumerate(self._starts):
            address = round_up(start, alignment)
            end = start + self._sizes[start]
            if address + size <= end:
                del self._starts[index], self._sizes[start]
                self._add(start, address - start)
                self._add(address + size, end - address - size)
                self._allocated[address] = size
                return Buffer(address, size)
        raise OutOfDeviceMemory(
            wanted_bytes=nbytes,
            largest_bytes=self.largest_free_bytes,
            free_bytes=self.free_bytes,
            total_bytes=self.total_bytes,
        )

    def free(self, buffer):
        """Give a buffer back.

        Raises
        ------
        ValueError
            If it is not allocated, for example freed before.
        """
        self._take_back()
        self._free(buffer)

    def give_back(self, buffer):
        """:meth:`free` for finalizers, which run in any thread and in the middle of anything.

        It has happened by the next call of any other method, which raises what :meth:`free` would.
        """
        self._given_back.append(buffer)

    def _take_back(self):
        while self._given_back:
            self._free(self._given_back.popleft())

    def _free(self, buffer):
        if self._allocated.get(buffer.address) != buffer.size:
            raise ValueError(f"no buffer of {buffer.size} bytes is allocated at {buffer.address:#010x}")
        del self._allocated[buffer.address]
        start, size = buffer.address, buffer.size
        index = bisect.bisect(self._starts, start)
        if index < len(self._starts) and self._starts[index] == start + size:
            size += self._sizes.pop(self._starts.pop(index))
        if index:
            before = self._starts[index - 1]
            if before + self._sizes[before] == start:
                self._sizes[before] += size
                return
        self._add(start, size)

    def _add(self, start, size):
        if size:
            bisect.insort(self._starts, start)
            self._sizes[start] = size
