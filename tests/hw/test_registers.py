import dataclasses

import pytest
from systolith_hw.config import ArrayConfig
from systolith_hw.registers import (
    ADDRESS_SPACE_BITS,
    MAGIC,
    REGISTERS,
    Control,
    Interrupt,
    Register,
    Status,
    identity,
)


def test_offsets():
    """Words that lie side by side in address order: no overlap, no gap, none misaligned or out of bounds."""
    offsets = [register.offset for register in REGISTERS.values()]
    assert offsets == [4 * index for index in range(len(REGISTERS))]
    assert offsets[-1] + 4 <= 1 << ADDRESS_SPACE_BITS


def test_offsets_stored():
    """What drivers in the field rely on."""
    assert {name: register.offset for name, register in REGISTERS.items()} == {
        "id": 0x00,
        "version": 0x04,
        "array": 0x08,
        "bus": 0x0C,
        "buffers": 0x10,
        "epilogue": 0x14,
        "config_hash": 0x18,
        "tile": 0x1C,
        "control": 0x20,
        "status": 0x24,
        "ring_base": 0x28,
        "ring_size": 0x2C,
        "ring_tail": 0x30,
        "ring_head": 0x34,
        "irq_enable": 0x38,
        "irq_pending": 0x3C,
        "fault_address": 0x40,
        "cycles": 0x44,
        "activity": 0x48,
        "traffic": 0x4C,
        "slots": 0x50,
        "widths": 0x54,
    }


def test_access():
    assert {register.access for register in REGISTERS.values()} == {"ro", "rw", "w1c"}
    assert {name for name, register in REGISTERS.items() if register.access == "rw"} == {
        "control",
        "ring_base",
        "ring_size",
        "ring_tail",
        "irq_enable",
    }
    assert {name for name, register in REGISTERS.items() if register.access == "w1c"} == {
        "status",
        "irq_pending",
    }


def test_doc():
    for name, register in REGISTERS.items():
        assert register.doc, name
        assert not register.doc.endswith("."), name


def test_register_keyword_only():
    with pytest.raises(TypeError, match="positional argument"):
        Register(0, "ro", "text")


def test_flags():
    assert Control.ENABLE == 1
    assert (Status.BUSY, Status.FAULT) == (1, 2)
    assert (Interrupt.COMPLETION, Interrupt.FAULT) == (1, 2)


def test_identity():
    config = ArrayConfig(
        rows=8, columns=32, axi_data_bits=64, a_buffer_lines=1024, b_buffer_lines=128, accumulator_rows=64
    )
    assert identity(config) == {
        "id": 0x54535953,
        "version": 1,
        "array": 0x00200008,
        "bus": 0x00200040,
        "buffers": 0x00800400,
        "epilogue": 0x00200040,
        "config_hash": int(config.content_hash[:8], 16),
        "traffic": 0x00400040,
        "slots": 0x10004,
        "widths": 0x00200018,
        "tile": 1,
    }
    assert MAGIC.to_bytes(4, "little") == b"SYST"


def test_identity_registers():
    """They are read-only registers, and each value fits its word at the largest configuration."""
    largest = ArrayConfig(
        rows=64,
        columns=64,
        axi_data_bits=512,
        a_buffer_lines=16384,
        b_buffer_lines=16384,
        accumulator_rows=4096,
        burst_bytes=1024,
        outstanding=256,
        descriptor_slots=8,
    )
    for name, value in identity(largest).items():
        assert REGISTERS[name].access == "ro"
        assert 0 <= value < 1 << 32


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(ArrayConfig)])
def test_identity_differs(name):
    """Every parameter shows in a register of its own, beside the hash."""
    lanes = {"lane_cycles": 32} if name == "lane_cycles" else {"epilogue_lanes": 8}
    config = ArrayConfig(b_buffer_lines=1024, tile_columns=4, **lanes)
    other = dataclasses.replace(config, **{name: getattr(config, name) // 2})
    differing = {key for key, value in identity(config).items() if identity(other)[key] != value}
    assert "config_hash" in differing and len(differing) == 2
