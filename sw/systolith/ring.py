"""The ring of descriptors in device memory: how many slots it has, and what they hold."""

import dataclasses
import functools

from systolith_hw import Code, Completion
from systolith_hw.descriptor import RECORD_BYTES, SLOT_BYTES
from systolith_hw.registers import RING_SLOTS_MAX

__all__ = ["is_unread", "pack_slot", "ring_size", "unpack_record"]

USUAL_SLOTS = 256
MEMORY_SHARE = 16
"""Unless told otherwise, the ring takes at most this part of the device memory, which may be small."""


def ring_size(ring_slots, *, memory_bytes):
    """How many slots a ring has.

    Parameters
    ----------
    ring_slots : int or None
        A power of two up to ``RING_SLOTS_MAX``. None: 256, or what a sixteenth of the device memory holds.
    memory_bytes : int
        Device memory.

    Returns
    -------
    int

    Raises
    ------
    ValueError
        If it is not a power of two, or more than the device can have.
    """
    if ring_slots is None:
        share = memory_bytes // (MEMORY_SHARE * SLOT_BYTES)
        return min(USUAL_SLOTS, 1 << max(share, 1).bit_length() - 1)
    if ring_slots not in {1 << bits for bits in range(RING_SLOTS_MAX.bit_length())}:
        raise ValueError(f"ring_slots must be a power of two from 1 to {RING_SLOTS_MAX}, not {ring_slots}")
    return ring_slots


@functools.lru_cache(maxsize=4096)
def pack_slot(descriptor, *, interrupt):
    """A slot to be submitted: the descriptor, and a completion record that says pending.

    Parameters
    ----------
    descriptor : Descriptor
    interrupt : bool
        Whether its completion is to interrupt, even if the descriptor does not ask for it.

    Returns
    -------
    bytes
    """
    packed = dataclasses.replace(descriptor, interrupt=interrupt or descriptor.interrupt).pack()
    return packed + bytes(RECORD_BYTES)


@functools.lru_cache(maxsize=4096)
def unpack_record(record):
    """The :class:`Completion` in a record's bytes; the same GEMM often takes the same cycles again."""
    return Completion.unpack(record)


def is_unread(completion, slot):
    """Whether the descriptor in the slot at this address could not be read: the device knows no tag."""
    failed = completion.code is Code.READ_ERROR and completion.tag == 0
    return failed and slot <= completion.fault_address < slot + RECORD_BYTES
