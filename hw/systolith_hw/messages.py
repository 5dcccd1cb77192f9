"""What the units of one accelerator say to each other: the payloads of its streams."""

import enum

from amaranth.hdl import unsigned
from amaranth.lib import data
from amaranth.utils import bits_for, ceil_log2, exact_log2

from .config import K_MAX
from .descriptor import ADDRESS_FIELDS, DESCRIPTOR_FIELDS, RECORD_BYTES, SIZE_FIELDS, kept_bits

__all__ = [
    "AccumulatorAccess",
    "DescriptorLayout",
    "Dimensions",
    "Job",
    "Order",
    "Panel",
    "ReadData",
    "ResultTile",
    "RowRequest",
    "RowWrite",
    "Target",
    "WeightTile",
    "WriteData",
]


class Target(enum.IntEnum):
    """Where data read from memory goes."""

    DESCRIPTOR = 0
    A_BUFFER = 1
    B_BUFFER = 2


def slot_shape(config):
    """Shape of the number of a descriptor in flight."""
    return unsigned(bits_for(config.descriptor_slots - 1))


def line_shape(config):
    """Shape of a line address in either operand buffer."""
    return unsigned(ceil_log2(max(config.a_buffer_lines, config.b_buffer_lines)))


def field_shape(config, name):
    """Shape of a descriptor's field in descriptors that are run."""
    width = kept_bits(config, name)
    limits = {"k": K_MAX, "m_block": config.accumulator_rows}
    return unsigned(min(width, bits_for(limits[name])) if name in limits else width)


def beat_address_shape(config):
    """Shape of an address or stride counted in beats."""
    return unsigned(config.address_bits - exact_log2(config.bus_bytes))


def rows_shape(config):
    """Shape of a number of rows of a panel."""
    return unsigned(bits_for(max(config.accumulator_rows, config.rows, config.columns)))


def beats_shape(config):
    """Shape of a number of beats in one row request."""
    lines = max(config.burst_lines, config.parameter_lines)
    return unsigned(bits_for(max(lines * config.beats_per_line, RECORD_BYTES // config.bus_bytes)))


class DescriptorLayout(data.StructLayout):
    """A descriptor's fields, in memory order without gaps."""

    def __init__(self):
        fields = sorted(DESCRIPTOR_FIELDS.items(), key=lambda item: (item[1].word, item[1].lsb))
        super().__init__({name: unsigned(field.width) for name, field in fields})


class Job(data.StructLayout):
    """The fields of a descriptor that one unit needs, and the descriptor's slot.

    Addresses and strides are multiples of a beat and are counted in beats.
    """

    def __init__(self, config, *fields):
        self._bus_log2 = exact_log2(config.bus_bytes)
        members = {
            name: beat_address_shape(config) if name in ADDRESS_FIELDS else field_shape(config, name)
            for name in fields
        }
        super().__init__(members | {"slot": slot_shape(config)})

    def values(self, descriptor, slot):
        """What the unit gets of a descriptor, by the names of the fields."""
        values = {name: descriptor[name] for name in self.members if name != "slot"}
        for name in ADDRESS_FIELDS:
            if name in values:
                values[name] >>= self._bus_log2
        return values | {"slot": slot}


class Dimensions(data.StructLayout):
    """Sizes over which :class:`.loops.TileLoop` iterates."""

    def __init__(self, config):
        super().__init__({name: field_shape(config, name) for name in SIZE_FIELDS})


class WeightTile(data.StructLayout):
    """A tile of B, as the pass over it needs to know it.

    ``m_end``, ``k_end`` and ``n_end`` are its last row of A, element of that and column; ``k_part`` is the
    part of a line of A. ``first_use`` and ``last_use`` mark a pass that needs rows of A which were not read
    before, and one that reads its lines for the last time in this sweep; ``last_k``, ``last_n``, ``last_m``
    and ``last`` the last one along K, N, M, and of all.
    """

    def __init__(self, config):
        super().__init__(
            {
                "m_end": range(config.accumulator_rows),
                "k_end": range(config.rows),
                "n_end": range(config.columns),
                "k_part": range(config.k_tiles_per_line),
                "first_use": 1,
                "last_use": 1,
                "last_k": 1,
                "last_n": 1,
                "last_m": 1,
                "last": 1,
            }
        )


class ResultTile(data.StructLayout):
    """A tile of D, as the store needs to know it: its last row and column, and whether it is a last one."""

    def __init__(self, config):
        super().__init__(
            {
                "m_end": range(config.accumulator_rows),
                "single_row": 1,
                "n_end": range(config.columns),
                "last_n": 1,
                "last_m": 1,
                "last": 1,
            }
        )


class Order(data.StructLayout):
    """When data are needed: whether they begin a block of M, in a later sweep over it, a line along K."""

    def __init__(self, config):
        k_max = min(K_MAX, (1 << config.dimension_bits) - 1)
        super().__init__({"line": bits_for(k_max // config.line_bytes), "later_sweep": 1, "begins_block": 1})


class Panel(data.StructLayout):
    """Rows of an operand that are fetched together and stored line by line in a buffer.

    ``lines × rows`` buffer lines: line 0 of every row, then line 1 of every row; ``line_end`` is the last.
    Address and stride are counted in beats. ``line``, ``later_sweep`` and ``begins_block`` are its
    :class:`Order`.
    """

    def __init__(self, config):
        lines = max(config.burst_lines, config.parameter_lines)
        super().__init__(
            {
                "address": beat_address_shape(config),
                "stride": beat_address_shape(config),
                "rows": rows_shape(config),
                "line_end": range(lines),
                "beats": beats_shape(config),
                **Order(config).members,
                "slot": slot_shape(config),
            }
        )


class RowRequest(data.StructLayout):
    """A read of consecutive beats; beat ``b`` goes to line ``line + stride · (b ÷ beats per line)``."""

    def __init__(self, config):
        super().__init__(
            {
                "address": config.address_bits,
                "beats": beats_shape(config),
                "target": Target,
                "line": line_shape(config),
                "stride": rows_shape(config),
                "slot": slot_shape(config),
            }
        )


class ReadData(data.StructLayout):
    """One beat on its way into a buffer; ``row_end`` marks the last one of a row request."""

    def __init__(self, config):
        super().__init__(
            {
                "data": config.axi_data_bits,
                "line": line_shape(config),
                "beat": range(config.beats_per_line),
                "row_end": 1,
            }
        )


class RowWrite(data.StructLayout):
    """A write of consecutive beats; the address is counted in beats.

    ``end`` marks the last one of a descriptor's results, ``interrupt`` a record that shall interrupt.
    """

    def __init__(self, config):
        row_beats = 4 * config.columns // config.bus_bytes
        super().__init__(
            {
                "address": beat_address_shape(config),
                "beats": bits_for(max(row_beats, RECORD_BYTES // config.bus_bytes)),
                "slot": slot_shape(config),
                "end": 1,
                "interrupt": 1,
            }
        )


class WriteData(data.StructLayout):
    """One beat to write."""

    def __init__(self, config):
        super().__init__({"data": config.axi_data_bits, "strobe": config.bus_bytes})


class AccumulatorAccess(data.StructLayout):
    """What the accumulators do with a row of partial sums."""

    def __init__(self, config):
        super().__init__(
            {
                "valid": 1,
                "first": 1,
                "half": 1,
                "row": range(config.accumulator_rows),
                "tile_end": 1,
            }
        )
