"""Which accelerator a board holds, from its read-only registers."""

import itertools

from systolith_hw import REGISTERS, ArrayConfig, identity
from systolith_hw.config import CONTRACT_VERSION
from systolith_hw.registers import MAGIC

from systolith.errors import ConfigurationMismatch, ProtocolError

__all__ = ["read_configuration"]

_POWERS = {
    "burst_bytes": [1 << bits for bits in range(2, 11)],
    "outstanding": [1 << bits for bits in range(1, 9)],
    "descriptor_slots": [2, 4, 8],
}
"""What a configuration may have of each parameter that has no register but the hash."""


def read_configuration(read_register):
    """The configuration that a device reports.

    Parameters
    ----------
    read_register : callable
        From the byte offset of a register to its value.

    Returns
    -------
    ArrayConfig

    Raises
    ------
    ConfigurationMismatch
        If it is no device of this contract's version.
    ProtocolError
        If its registers fit no configuration.
    """
    reported = {name: read_register(REGISTERS[name].offset) for name in identity(ArrayConfig())}
    fixed = {"id": MAGIC, "version": CONTRACT_VERSION}
    differences = {
        name: (wanted, reported[name]) for name, wanted in fixed.items() if reported[name] != wanted
    }
    if differences:
        raise ConfigurationMismatch(differences)
    low, high = 0xFFFF, 16
    known = {
        "rows": reported["array"] & low,
        "columns": reported["array"] >> high,
        "axi_data_bits": reported["bus"] & low,
        "a_buffer_lines": reported["buffers"] & low,
        "b_buffer_lines": reported["buffers"] >> high,
        "accumulator_rows": reported["epilogue"] & low,
        "epilogue_lanes": reported["epilogue"] >> high,
    }
    for values in itertools.product(*_POWERS.values()):
        try:
            config = ArrayConfig(**known, **dict(zip(_POWERS, values, strict=True)))
        except ValueError:
            continue
        if identity(config) == reported:
            return config
    facts = ", ".join(f"{name} {value:#010x}" for name, value in reported.items())
    raise ProtocolError(f"the device reports what fits no configuration: {facts}")
