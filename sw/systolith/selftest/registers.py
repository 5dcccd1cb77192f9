"""Registers: who the device says it is, and what becomes of what is written."""

import contextlib

from systolith_hw import REGISTERS, identity
from systolith_hw.descriptor import SLOT_BYTES
from systolith_hw.registers import Control, Interrupt

from systolith.driver import RingDevice
from systolith.errors import DeviceError
from systolith.transport import cycles_between

from .outcome import failed, not_applicable, passed
from .patterns import bits_of, walking_bits

__all__ = ["check_cycle_counter", "check_identity", "check_read_only", "check_writable"]

READS = 16
"""Times that every identity register is read."""

COUNTER_READS = 8

VOLATILE = ("cycles", "activity")
"""Read-only registers that change by themselves."""


def check_identity(device, _effort):
    """The read-only registers that tell the configuration, again and again."""
    if not isinstance(device, RingDevice):
        return _none(device)
    wanted = identity(device.config)
    for _ in range(READS):
        for name, value in wanted.items():
            came = device.read_register(name)
            if came != value:
                return failed(
                    f"register {name} must be {value:#010x}, not {came:#010x}: "
                    f"{bits_of(value ^ came)} differ",
                    register=name,
                    expected=value,
                    got=came,
                )
    return passed(f"{len(wanted)} registers, {READS} times each", registers=len(wanted))


def check_read_only(device, _effort):
    """Read-only registers keep their value when they are written; the write may be answered with an error."""
    if not isinstance(device, RingDevice):
        return _none(device)
    names = [name for name, register in REGISTERS.items() if register.access == "ro" and name not in VOLATILE]
    for name in names:
        before = device.read_register(name)
        for value in (before ^ 0xFFFFFFFF, 0):
            # Refused as the contract has it, or ignored.
            with contextlib.suppress(DeviceError):
                device.transport.write_register(REGISTERS[name].offset, value)
            after = device.read_register(name)
            if after != before:
                return failed(
                    f"register {name} is read-only, but {before:#010x} became {after:#010x} "
                    f"when {value:#010x} was written",
                    register=name,
                    expected=before,
                    got=after,
                )
    return passed(f"{len(names)} registers", registers=len(names))


def check_writable(device, _effort):
    """Writable registers read back as written: every bit alone, and all but every bit."""
    if not isinstance(device, RingDevice):
        return _none(device)
    writable = _writable_bits(device.config)
    # Stopped first: the ring may be moved about while the device is idle.
    device.transport.write_register(REGISTERS["control"].offset, 0)
    values = [0, 0xFFFFFFFF, 0x55555555, 0xAAAAAAAA, *walking_bits(32)]
    accesses = 0
    try:
        for name, mask in writable.items():
            for value in dict.fromkeys(value & mask for value in values):
                device.transport.write_register(REGISTERS[name].offset, value)
                came = device.read_register(name)
                accesses += 1
                if came != value:
                    return failed(
                        f"register {name}: {value:#010x} was written, {came:#010x} read "
                        f"({bits_of(value ^ came)} differ)",
                        register=name,
                        expected=value,
                        got=came,
                    )
    finally:
        device.reset()
    return passed(f"{len(writable)} registers, {accesses} values", values=accesses)


def check_cycle_counter(device, _effort):
    """The count of cycles grows."""
    if not isinstance(device, RingDevice):
        return _none(device)
    before = first = device.read_register("cycles")
    for _ in range(COUNTER_READS):
        now = device.read_register("cycles")
        # What went back has gone almost all the way round.
        if not 0 < cycles_between(before, now) < 1 << 31:
            return failed(
                f"the count must grow, but {before} was followed by {now}", before=before, after=now
            )
        before = now
    cycles = cycles_between(first, before)
    return passed(f"{cycles} cycles in {COUNTER_READS} reads", cycles=cycles)


def _writable_bits(config):
    """Bits that read back as written. So do those of ``ring_tail``, but writing it is the doorbell."""
    return {
        "control": int(Control.ENABLE),
        "ring_base": (1 << config.address_bits) - SLOT_BYTES,
        "ring_size": 0xF,
        "irq_enable": int(Interrupt.COMPLETION | Interrupt.FAULT),
    }


def _none(device):
    return not_applicable(f"target {device.target} has no registers")
