"""What a device says of itself in its read-only registers, and what it should say."""

from systolith_hw import identity

from .errors import ConfigurationMismatch

__all__ = ["IDENTITY_FIELDS", "check_identity"]

IDENTITY_FIELDS = {
    "array": ("rows", "columns"),
    "bus": ("axi_data_bits", "address_bits"),
    "buffers": ("a_buffer_lines", "b_buffer_lines"),
    "epilogue": ("accumulator_rows", "epilogue_lanes"),
    "traffic": ("burst_bytes", "outstanding"),
    "slots": ("descriptor_slots", "lane_cycles"),
    "widths": ("dimension_bits", "counter_bits"),
    "tile": ("tile_columns",),
}
"""What the halves of an identity register say, the low half first."""


def check_identity(config, read_register):
    """Check that a device is of a configuration.

    Parameters
    ----------
    config : ArrayConfig
    read_register : callable
        From a register's name to its value.

    Raises
    ------
    ConfigurationMismatch
        Names every parameter that differs.
    """
    differences = {}
    for name, wanted in identity(config).items():
        came = read_register(name)
        if came == wanted:
            continue
        for index, field in enumerate(IDENTITY_FIELDS.get(name, ())):
            halves = wanted >> 16 * index & 0xFFFF, came >> 16 * index & 0xFFFF
            if halves[0] != halves[1]:
                differences[field] = halves
        if name not in IDENTITY_FIELDS:
            differences[name] = wanted, came
    if differences:
        raise ConfigurationMismatch(differences)
