"""Tables that follow from the contract: configuration, registers, descriptors."""

import dataclasses
import inspect
from collections.abc import Callable, Mapping

from systolith_hw import config, descriptor, registers

from .docstrings import flags, members, prose
from .markdown import table

__all__ = ["TABLES"]


def _parameter_docs(cls: type) -> dict[str, str]:
    """The description of each entry in the Parameters section of a class."""
    docs: dict[str, str] = {}
    lines = iter(inspect.getdoc(cls).split("\n"))  # type: ignore[union-attr]
    for line in lines:
        if line == "Parameters":
            break
    next(lines)
    name = ""
    for line in lines:
        if not line:
            break
        if line.startswith(" "):
            docs[name] = prose(f"{docs.get(name, '')} {line}")
        else:
            name = line.partition(" : ")[0]
    return docs


def _bits(lsb: int, width: int) -> str:
    return f"{lsb + width - 1}–{lsb}" if width > 1 else str(lsb)


def _fields(fields: Mapping[str, descriptor.Field], *, base: int) -> str:
    return table(
        ["byte", "bits", "field", "meaning"],
        [
            (
                f"`0x{base + 4 * field.word:02x}`",
                _bits(field.lsb, field.width),
                f"`{name}`",
                prose(field.doc),
            )
            for name, field in fields.items()
        ],
    )


def _registers() -> str:
    return table(
        ["offset", "register", "access", "holds"],
        [
            (f"`0x{register.offset:02x}`", f"`{name}`", register.access, prose(register.doc))
            for name, register in registers.REGISTERS.items()
        ],
    )


def _identity() -> str:
    default = config.ArrayConfig()
    return table(
        ["register", f"value for `{default}`"],
        [(f"`{name}`", f"`0x{value:08x}`") for name, value in registers.identity(default).items()],
    )


def _parameters() -> str:
    docs = _parameter_docs(config.ArrayConfig)
    chosen = config.ArrayConfig()
    rows = []
    for field in dataclasses.fields(config.ArrayConfig):
        value = getattr(chosen, field.name)
        default = f"`{value}`" if field.default is not None else f"`None`: `{value}`"
        rows.append((f"`{field.name}`", default, docs[field.name]))
    return table(["parameter", "default", "meaning"], rows)


def _constants() -> str:
    rows = [
        ("version of the contract", config.CONTRACT_VERSION),
        ("operands, signed", f"{config.OPERAND_BITS} bits"),
        ("accumulators, signed", f"{config.ACCUMULATOR_BITS} bits"),
        ("largest K", config.K_MAX),
        ("device memory address", f"{config.ADDRESS_BITS} bits"),
        ("register block", f"{1 << registers.ADDRESS_SPACE_BITS} bytes"),
        ("ring slot", f"{descriptor.SLOT_BYTES} bytes"),
        ("descriptor, completion record", f"{descriptor.RECORD_BYTES} bytes each"),
        ("epilogue parameters", f"{config.PARAMETER_BYTES} bytes per output channel"),
        ("M, K and N", f"{descriptor.DIMENSION_BITS} bits"),
    ]
    return table(["what", "value"], rows)


TABLES: dict[str, Callable[[], str]] = {
    "constants": _constants,
    "parameters": _parameters,
    "registers": _registers,
    "control": lambda: flags(registers.Control),
    "status": lambda: flags(registers.Status),
    "interrupt": lambda: flags(registers.Interrupt),
    "identity": _identity,
    "descriptor": lambda: _fields(descriptor.DESCRIPTOR_FIELDS, base=0),
    "parameter_record": lambda: _fields(descriptor.PARAMETER_FIELDS, base=0),
    "completion": lambda: _fields(descriptor.COMPLETION_FIELDS, base=descriptor.RECORD_BYTES),
    "layouts": lambda: members(descriptor.BLayout),
    "outputs": lambda: members(descriptor.Output),
    "codes": lambda: members(descriptor.Code),
    "rejections": lambda: members(descriptor.Reject),
}
"""What each marker stands for."""
