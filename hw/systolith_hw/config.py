"""The parameters of one accelerator, and every width that follows from them."""

import dataclasses
import hashlib
import re

__all__ = ["CONTRACT_VERSION", "K_MAX", "ArrayConfig"]

CONTRACT_VERSION = 1
"""Raised whenever registers, descriptors or arithmetic change incompatibly, from the first release on."""

OPERAND_BITS = 8
"""Width of the signed A and B operands."""

ACCUMULATOR_BITS = 32
"""Width of the signed accumulators."""

ADDRESS_BITS = 32
"""Width of a device memory address on the bus and in descriptors."""

DIMENSION_BITS = 24
"""Width of M, K and N in descriptors."""

COUNTER_BITS = 32
"""Width of a cycle counter in a completion record."""

PARAMETER_BYTES = 8
"""Size of one output channel's epilogue parameters (bias, multiplier, shift)."""

LANE_CYCLES = (1, 16, 32, 64)
"""What ``ArrayConfig.lane_cycles`` may be."""

K_MAX = (1 << (ACCUMULATOR_BITS - 1)) // (1 << (2 * (OPERAND_BITS - 1))) - 1
"""Largest K whose sum of products cannot overflow the accumulator: 131071."""


def _is_power_of_two(value):
    return value > 0 and value & (value - 1) == 0


def _check_power_of_two(name, value, low, high):
    if type(value) is not int:
        raise TypeError(f"{name} must be an int, not {value!r}")
    if not _is_power_of_two(value) or not low <= value <= high:
        raise ValueError(f"{name} must be a power of two from {low} to {high}, not {value}")


def _check_width(name, value, low, high):
    if type(value) is not int:
        raise TypeError(f"{name} must be an int, not {value!r}")
    if not low <= value <= high:
        raise ValueError(f"{name} must be from {low} to {high}, not {value}")


@dataclasses.dataclass(frozen=True, kw_only=True)
class ArrayConfig:
    """One accelerator: the only input of its hardware, golden arithmetic, cycle model and driver.

    Parameters
    ----------
    rows : int
        Rows R of processing elements; they span the K dimension. A power of two, 2 to 64.
    columns : int
        Columns C of processing elements; they span the N dimension. A power of two, 2 to 64.
    axi_data_bits : int or None
        Width of the memory bus, a power of two from 32 to 512. ``None``: one row of A per cycle
        (R bytes), within those bounds.
    a_buffer_lines : int
        Depth of the A buffer in lines of :attr:`line_bytes`.
    b_buffer_lines : int
        Depth of the B buffer in lines of :attr:`line_bytes`.
    accumulator_rows : int
        Rows of each of the two halves of the accumulator memory: the largest block of M.
    epilogue_lanes : int or None
        Output channels requantized at once; divides C. ``None``: all of them, or one if ``lane_cycles`` is
        not 1.
    burst_bytes : int
        Bytes along K that one AXI burst should fetch of a row of A or of an N×K matrix B.
    outstanding : int
        Reads (row requests) and writes (bursts) that the DMA may each have outstanding.
    descriptor_slots : int
        Descriptors that may be in flight at once, from prefetch to completion. With one, none is fetched
        before the last has ended, and its fields are kept once for all units: that takes the least logic.
    address_bits : int
        Bits of an address and of a stride that the device keeps; 12 to 32. A descriptor that needs more is
        rejected, and addresses within a matrix are counted modulo ``2**address_bits``.
    dimension_bits : int
        Bits of M, K, N, the batch and the block of M that the device keeps; 8 to 24. A descriptor that needs
        more is rejected.
    counter_bits : int
        Bits of every cycle counter, which counts modulo ``2**counter_bits``; 16 to 32.
    lane_cycles : int
        Cycles in which an output channel is requantized. 1: a pipeline takes one a cycle in every lane. 16,
        32 or 64: the only lane computes 4, 2 or 1 bits a cycle, and takes the less logic.
    tile_columns : int
        Columns that get an activation in the same cycle, with no register between them; divides C. More of
        them take fewer registers and a slower clock.

    Raises
    ------
    TypeError, ValueError
        If a parameter is of the wrong type or out of range.

    Source
    ------
    An array of tiles, pipelined between and combinational within: H. Genc et al., "Gemmini: Enabling
    Systematic Deep-Learning Architecture Evaluation via Full-Stack Integration", DAC 2021.
    """

    rows: int = 16
    columns: int = 16
    axi_data_bits: int | None = None
    a_buffer_lines: int = 4096
    b_buffer_lines: int = 256
    accumulator_rows: int = 256
    epilogue_lanes: int | None = None
    burst_bytes: int = 64
    outstanding: int = 64
    descriptor_slots: int = 4
    address_bits: int = ADDRESS_BITS
    dimension_bits: int = DIMENSION_BITS
    counter_bits: int = COUNTER_BITS
    lane_cycles: int = 1
    tile_columns: int = 1

    def __post_init__(self):
        _check_power_of_two("rows", self.rows, 2, 64)
        _check_power_of_two("columns", self.columns, 2, 64)
        if self.axi_data_bits is None:
            object.__setattr__(self, "axi_data_bits", min(max(8 * self.rows, 32), 512))
        _check_power_of_two("axi_data_bits", self.axi_data_bits, 32, 512)
        if type(self.lane_cycles) is not int:
            raise TypeError(f"lane_cycles must be an int, not {self.lane_cycles!r}")
        if self.lane_cycles not in LANE_CYCLES:
            raise ValueError(f"lane_cycles must be 1, 16, 32 or 64, not {self.lane_cycles}")
        most_lanes = self.columns if self.lane_cycles == 1 else 1
        if self.epilogue_lanes is None:
            object.__setattr__(self, "epilogue_lanes", most_lanes)
        _check_power_of_two("epilogue_lanes", self.epilogue_lanes, 1, self.columns)
        if self.epilogue_lanes > most_lanes:
            raise ValueError(
                f"epilogue_lanes must be 1 with lane_cycles {self.lane_cycles}, not {self.epilogue_lanes}"
            )
        _check_power_of_two("tile_columns", self.tile_columns, 1, self.columns)
        _check_power_of_two("burst_bytes", self.burst_bytes, 4, 1024)
        _check_power_of_two("a_buffer_lines", self.a_buffer_lines, 4, 16384)
        _check_power_of_two("b_buffer_lines", self.b_buffer_lines, 4, 16384)
        _check_power_of_two("accumulator_rows", self.accumulator_rows, 4, 4096)
        _check_power_of_two("outstanding", self.outstanding, 1, 256)
        _check_power_of_two("descriptor_slots", self.descriptor_slots, 1, 8)
        _check_width("address_bits", self.address_bits, 12, ADDRESS_BITS)
        _check_width("dimension_bits", self.dimension_bits, 8, DIMENSION_BITS)
        _check_width("counter_bits", self.counter_bits, 16, COUNTER_BITS)
        panels = 2 * self.panel_lines
        if self.b_buffer_lines < panels:
            raise ValueError(
                f"b_buffer_lines must be at least {panels} (two panels), not {self.b_buffer_lines}"
            )
        if self.a_buffer_lines < 2 * self.burst_lines:
            raise ValueError(
                f"a_buffer_lines must be at least {2 * self.burst_lines} (two bursts), "
                f"not {self.a_buffer_lines}"
            )

    @classmethod
    def parse(cls, text, **overrides):
        """Make a configuration from ``"RxC"`` or from the stable text form of :meth:`__str__`.

        The parts of the text form may be left out, and come in any order.

        Raises
        ------
        ValueError
            If ``text`` is neither.
        """
        parts = _TEXT.findall(text) if _TEXT_WHOLE.fullmatch(text) else []
        names = {prefix: field for field, prefix in _TEXT_FORM + _TEXT_UNUSUAL}
        names |= {"": "rows", "x": "columns", "X": "columns"}
        values = {names[prefix]: int(value) for prefix, value in parts if prefix in names}
        if not parts or len(values) != len(parts):
            known = ", ".join(prefix for _, prefix in _TEXT_FORM + _TEXT_UNUSUAL)
            raise ValueError(
                f"array must look like '16x16' or '16x16-axi128-a4096', not {text!r}; "
                f"what may follow rows and columns, each once, is {known}"
            )
        return cls(**{**values, **overrides})

    def __str__(self):
        """The stable text form, from which :meth:`parse` makes an equal configuration."""
        parts = [f"{prefix}{getattr(self, field)}" for field, prefix in _TEXT_FORM]
        for field, prefix in _TEXT_UNUSUAL:
            if getattr(self, field) != _USUAL[field]:
                parts.append(f"{prefix}{getattr(self, field)}")
        return "-".join([f"{self.rows}x{self.columns}", *parts])

    @property
    def content_hash(self):
        """Sixteen hexadecimal digits that name everything built from this configuration."""
        text = f"systolith-{CONTRACT_VERSION}:{self}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def bus_bytes(self):
        """Bytes per beat of the memory bus; every address and stride is a multiple of it."""
        return self.axi_data_bits // 8

    @property
    def line_bytes(self):
        """Bytes per buffer line: the widest of a beat, a row of the array and a column of it."""
        return max(self.bus_bytes, self.rows, self.columns)

    @property
    def beats_per_line(self):
        """Beats that fill one buffer line."""
        return self.line_bytes // self.bus_bytes

    @property
    def k_tiles_per_line(self):
        """Tiles of R bytes along K in one line of A or of an N×K matrix B."""
        return self.line_bytes // self.rows

    @property
    def n_tiles_per_line(self):
        """Tiles of C bytes along N in what is fetched of a row of a K×N matrix B: C bytes, or one beat."""
        return max(1, self.bus_bytes // self.columns)

    @property
    def burst_lines(self):
        """Lines along K that are fetched together."""
        return max(1, self.burst_bytes // self.line_bytes)

    @property
    def panel_lines(self):
        """Lines of the largest panel of B."""
        return max(self.columns * self.burst_lines, self.rows, self.parameter_lines)

    @property
    def parameter_lines(self):
        """Lines that hold the epilogue parameters of one tile of C columns."""
        return max(1, PARAMETER_BYTES * self.columns // self.line_bytes)

    @property
    def parameter_sets_per_line(self):
        """Tiles whose epilogue parameters share one line."""
        return max(1, self.line_bytes // (PARAMETER_BYTES * self.columns))

    @property
    def psum_bits(self):
        """Width of the partial sums inside the array: R products cannot overflow it."""
        return 2 * OPERAND_BITS + (self.rows - 1).bit_length()

    @property
    def column_tiles(self):
        """Tiles of columns side by side in the array."""
        return self.columns // self.tile_columns

    @property
    def peak_macs_per_cycle(self):
        """Multiply-accumulates per cycle when every PE works."""
        return self.rows * self.columns

    def k_lines(self, k):
        """Lines that one row of K operands occupies in the A buffer."""
        return -(-k // self.line_bytes)

    def max_m_block(self, k):
        """Rows of A that may be held at once for a given K ≥ 1; 0 if not even one row fits."""
        return min(self.accumulator_rows, self.a_buffer_lines // self.k_lines(k))


_TEXT_FORM = (
    ("axi_data_bits", "axi"),
    ("a_buffer_lines", "a"),
    ("b_buffer_lines", "b"),
    ("accumulator_rows", "acc"),
    ("epilogue_lanes", "e"),
    ("burst_bytes", "burst"),
    ("outstanding", "o"),
    ("descriptor_slots", "ds"),
)

_TEXT_UNUSUAL = (
    ("address_bits", "addr"),
    ("dimension_bits", "dim"),
    ("counter_bits", "cnt"),
    ("lane_cycles", "lc"),
    ("tile_columns", "tc"),
)
"""Told only where they are not as usual."""

_USUAL = {field.name: field.default for field in dataclasses.fields(ArrayConfig)}

_TEXT_WHOLE = re.compile("[0-9]+[xX][0-9]+(-[a-z]+[0-9]+)*")
_TEXT = re.compile("([a-z]*)([0-9]+)", re.IGNORECASE)
