"""The C interface that ``pyverilator.PyVerilator`` looks for in a shared library."""

import dataclasses
import re

__all__ = ["Port", "interface_source", "internal_signals", "top_ports"]

_PORT = re.compile(r"VL_(IN|OUT)(?:8|16|64|W)?\(&(\w+),(\d+),0(?:,\d+)?\);")
_SIGNAL = re.compile(
    r"^\s*(?:CData|SData|IData|QData|VlWide<\d+>)/\*(\d+):0\*/ (\w+__DOT__\w+);", re.MULTILINE
)
_UNNAMEABLE = re.compile(r"__BRA__|__KET__|__V|__0(?![0-9A-Fa-f]{2})")
"""What pyverilator cannot turn back into a name, and Verilator's own variables."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Port:
    """A port or signal of a verilated design.

    Parameters
    ----------
    name : str
        As Verilator spells it.
    direction : str
        ``"input"``, ``"output"`` or ``"internal"``.
    width : int
        In bits.
    """

    name: str
    direction: str
    width: int

    @property
    def getter(self):
        """The function that reads it: a word of 32 bits at a time where it is wider than 64."""
        owner = "device->rootp" if self.direction == "internal" else "device"
        index, parameter = ("[word]", ", int word") if self.width > 64 else ("", "")
        head = f"{self._value_type} get_{self.name}(Vsystolith* device{parameter})"
        return f"{head} {{ return {owner}->{self.name}{index}; }}"

    @property
    def setter(self):
        """The function that writes it."""
        index, parameter = ("[word]", ", int word") if self.width > 64 else ("", "")
        head = f"int set_{self.name}(Vsystolith* device{parameter}, uint64_t value)"
        return f"{head} {{ device->{self.name}{index} = value; return 0; }}"

    @property
    def _value_type(self):
        return "uint64_t" if 32 < self.width <= 64 else "uint32_t"


def top_ports(header):
    """The ports that the top module's header declares, in its order."""
    directions = {"IN": "input", "OUT": "output"}
    return [
        Port(name=name, direction=directions[direction], width=int(high) + 1)
        for direction, name, high in _PORT.findall(header)
    ]


def internal_signals(header):
    """The signals below the top that the root's header declares; memories are not among them."""
    return [
        Port(name=name, direction="internal", width=int(high) + 1)
        for high, name in _SIGNAL.findall(header)
        if not _UNNAMEABLE.search(name)
    ]


def interface_source(ports):
    """The C++ source that describes and accesses the ports.

    Parameters
    ----------
    ports : list of Port
    """
    tables = []
    for direction, title in (("input", "input"), ("output", "output"), ("internal", "internal_signal")):
        chosen = [port for port in ports if port.direction == direction]
        names = "".join(f'"{port.name}", ' for port in chosen)
        widths = "".join(f"{port.width}, " for port in chosen)
        tables += [
            f"extern const uint32_t _pyverilator_num_{title}s = {len(chosen)};",
            f"extern const char* const _pyverilator_{title}s[] = {{{names}nullptr}};",
            f"extern const uint32_t _pyverilator_{title}_widths[] = {{{widths}0}};",
        ]
    accessors = [port.getter for port in ports]
    accessors += [port.setter for port in ports if port.direction == "input"]
    return "\n".join(['#include "pyverilator.hpp"', 'extern "C" {', *tables, *accessors, "}", ""])
