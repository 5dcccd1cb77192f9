"""Which accelerator a board holds, from its read-only registers."""

from systolith_hw import REGISTERS, ArrayConfig, identity
from systolith_hw.config import CONTRACT_VERSION
from systolith_hw.registers import MAGIC

from systolith.errors import ConfigurationMismatch, ProtocolError
from systolith.identity import IDENTITY_FIELDS

__all__ = ["read_configuration"]


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
    fields = {
        field: reported[name] >> 16 * index & 0xFFFF
        for name, halves in IDENTITY_FIELDS.items()
        for index, field in enumerate(halves)
    }
    try:
        config = ArrayConfig(**fields)
    except ValueError as error:
        raise ProtocolError(f"the device reports what is no configuration: {error}") from error
    if identity(config) != reported:
        raise ProtocolError(
            f"the device reports {config}, and {reported['config_hash']:#010x}, the hash of another "
            "configuration: was it built with this systolith?"
        )
    return config
