"""The control and status registers, declared once for hardware, driver and documentation."""

import dataclasses
import enum

from .config import CONTRACT_VERSION

__all__ = [
    "MAGIC",
    "REGISTERS",
    "RING_COUNT_BITS",
    "RING_SLOTS_MAX",
    "Control",
    "Interrupt",
    "Register",
    "Status",
    "identity",
]

MAGIC = int.from_bytes(b"SYST", "little")
"""Value of the ``id`` register."""

ADDRESS_SPACE_BITS = 8
"""Address bits of the register block: 256 bytes."""

RING_COUNT_BITS = 12
"""Bits of ``ring_tail`` and ``ring_head``: one more than the largest ring needs, to tell full from empty."""

RING_SLOTS_MAX = 1 << RING_COUNT_BITS - 1
"""Slots of the largest ring."""


class Control(enum.IntFlag):
    """Bits of the ``control`` register."""

    ENABLE = 1 << 0
    """Fetch and run descriptors. Cleared: no descriptor is fetched; those in flight end."""


class Status(enum.IntFlag):
    """Bits of the ``status`` register."""

    BUSY = 1 << 0
    """Descriptors up to ``ring_tail`` have not all completed."""
    FAULT = 1 << 1
    """A completion record could not be written: see ``fault_address``. Cleared by writing 1."""


class Interrupt(enum.IntFlag):
    """Bits of the ``irq_enable`` and ``irq_pending`` registers."""

    COMPLETION = 1 << 0
    """A descriptor whose ``interrupt`` flag is set has completed."""
    FAULT = 1 << 1
    """``Status.FAULT`` was raised."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Register:
    """One 32-bit register.

    Parameters
    ----------
    offset : int
        Byte address within the register block.
    access : str
        ``"ro"`` read only, ``"rw"`` read and write, ``"w1c"`` write one to clear.
    doc : str
        What it holds.
    """

    offset: int
    access: str
    doc: str


REGISTERS = {
    "id": Register(offset=0x00, access="ro", doc='The magic number, `"SYST"` in ASCII'),
    "version": Register(offset=0x04, access="ro", doc="Version of this contract"),
    "array": Register(offset=0x08, access="ro", doc="R in bits 15–0, C in bits 31–16"),
    "bus": Register(offset=0x0C, access="ro", doc="AXI data bits in 15–0, address bits in 31–16"),
    "buffers": Register(
        offset=0x10, access="ro", doc="Lines of the A buffer in bits 15–0, of the B buffer in 31–16"
    ),
    "epilogue": Register(
        offset=0x14, access="ro", doc="Accumulator rows in bits 15–0, epilogue lanes in 31–16"
    ),
    "config_hash": Register(
        offset=0x18, access="ro", doc="First 32 bits of the configuration's content hash"
    ),
    "tile": Register(offset=0x1C, access="ro", doc="Columns of a tile of the array in bits 15–0"),
    "control": Register(offset=0x20, access="rw", doc="Bit 0 enable"),
    "status": Register(offset=0x24, access="w1c", doc="Bit 0 busy (read only), bit 1 fault"),
    "ring_base": Register(
        offset=0x28, access="rw", doc="Address of the descriptor ring; a multiple of 128: bits 6–0 stay zero"
    ),
    "ring_size": Register(
        offset=0x2C,
        access="rw",
        doc=f"Binary logarithm of the number of slots in the ring, 0 to {RING_COUNT_BITS - 1}",
    ),
    "ring_tail": Register(
        offset=0x30,
        access="rw",
        doc=f"Descriptors submitted, modulo {1 << RING_COUNT_BITS}; writing it is the doorbell",
    ),
    "ring_head": Register(
        offset=0x34, access="ro", doc=f"Descriptors completed, modulo {1 << RING_COUNT_BITS}"
    ),
    "irq_enable": Register(offset=0x38, access="rw", doc="Bit 0 completion, bit 1 fault"),
    "irq_pending": Register(offset=0x3C, access="w1c", doc="Bit 0 completion, bit 1 fault"),
    "fault_address": Register(
        offset=0x40, access="ro", doc="Address of the completion record that could not be written"
    ),
    "cycles": Register(offset=0x44, access="ro", doc="Clock cycles since reset, modulo 2³²"),
    "activity": Register(
        offset=0x48,
        access="ro",
        doc="Where the sequencers stand, for debugging a device that makes no progress: bit 0 "
        "descriptor fetch, 1 A loader, 2 B loader, 3 weight feeder, 4 pass sequencer, 5 store, "
        "6 reads outstanding, 7 writes outstanding; descriptors in flight in bits 15–8",
    ),
    "traffic": Register(
        offset=0x4C, access="ro", doc="Burst bytes along K in bits 15–0, outstanding accesses in 31–16"
    ),
    "slots": Register(
        offset=0x50,
        access="ro",
        doc="Descriptors that may be in flight in bits 15–0, cycles of a lane of the epilogue in 31–16",
    ),
    "widths": Register(
        offset=0x54, access="ro", doc="Bits of M, K and N in bits 15–0, of cycle counters in 31–16"
    ),
}
"""Every register by name, in address order."""


def identity(config):
    """The read-only registers by which a device tells what it is.

    Parameters
    ----------
    config : ArrayConfig

    Returns
    -------
    dict of str to int
        Register name to the value that a device of this configuration reports.
    """
    return {
        "id": MAGIC,
        "version": CONTRACT_VERSION,
        "array": config.rows | config.columns << 16,
        "bus": config.axi_data_bits | config.address_bits << 16,
        "buffers": config.a_buffer_lines | config.b_buffer_lines << 16,
        "epilogue": config.accumulator_rows | config.epilogue_lanes << 16,
        "config_hash": int(config.content_hash[:8], 16),
        "traffic": config.burst_bytes | config.outstanding << 16,
        "slots": config.descriptor_slots | config.lane_cycles << 16,
        "widths": config.dimension_bits | config.counter_bits << 16,
        "tile": config.tile_columns,
    }
