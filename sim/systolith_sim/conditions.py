"""What a run of the simulator may wait for."""

import dataclasses

from .library import Until

__all__ = ["MemoryEquals", "RegisterEquals", "raw_condition"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class MemoryEquals:
    """The condition that the 32-bit word at ``address``, under ``mask``, is ``value``."""

    address: int
    value: int
    mask: int = 0xFFFFFFFF


@dataclasses.dataclass(frozen=True, kw_only=True)
class RegisterEquals:
    """The condition that the register at ``offset``, under ``mask``, reads as ``value``.

    It is read over the bus again and again, which takes cycles of its own.
    """

    offset: int
    value: int
    mask: int = 0xFFFFFFFF


def raw_condition(until, memory_bytes):
    """The reason that a run ends with when a condition holds, and the condition as a model takes it.

    Raises
    ------
    ValueError
        If it is none that a model can watch.
    """
    match until:
        case "irq":
            return "irq", (Until.IRQ, 0, 0, 0)
        case None:
            return "cycles", (Until.CYCLES, 0, 0, 0)
        case MemoryEquals(address=address, value=value, mask=mask):
            if not 0 <= address <= memory_bytes - 4:
                raise ValueError(f"address must be within the memory, not 0x{address:08x}")
            return "memory", (Until.MEMORY, address, value, mask)
    raise ValueError(f"until must be 'irq', None, MemoryEquals or RegisterEquals, not {until!r}")
