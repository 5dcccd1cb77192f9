"""Descriptors and completion records: what driver and device exchange through memory."""

import dataclasses
import enum
import operator
import struct

from .config import DIMENSION_BITS, K_MAX, PARAMETER_BYTES

__all__ = [
    "COMPLETION_FIELDS",
    "DESCRIPTOR_FIELDS",
    "PARAMETER_FIELDS",
    "RECORD_BYTES",
    "SLOT_BYTES",
    "BLayout",
    "Code",
    "Completion",
    "Counters",
    "Descriptor",
    "Field",
    "Output",
    "Reject",
]

RECORD_BYTES = 64
"""Size of a descriptor and of a completion record."""

SLOT_BYTES = 2 * RECORD_BYTES
"""Size of a ring slot: the descriptor, then the completion record that the device writes."""


class BLayout(enum.IntEnum):
    """How B lies in memory."""

    KN = 0
    """K rows of N contiguous elements."""
    NK = 1
    """N rows of K contiguous elements: torch's ``Linear.weight``, attention's K."""


class Output(enum.IntEnum):
    """Element type of D."""

    INT32 = 0
    """Four bytes an element, saturated."""
    INT8 = 1
    """One byte an element, requantized."""


class Code(enum.IntEnum):
    """How a descriptor ended."""

    PENDING = 0
    """Not completed. The driver writes it before it rings the doorbell."""
    OK = 1
    """D is complete in memory."""
    REJECTED = 2
    """The descriptor cannot be run; ``reason`` says why. Nothing was read or written."""
    READ_ERROR = 3
    """A read returned SLVERR or DECERR; ``fault_address`` says where. D is undefined."""
    WRITE_ERROR = 4
    """A write returned SLVERR or DECERR; ``fault_address`` says where. D is undefined."""


class Reject(enum.IntEnum):
    """Why a descriptor was rejected. The device reports the lowest that applies."""

    NONE = 0
    """Not rejected."""
    OPCODE = 1
    """Unknown operation or a reserved bit set."""
    ZERO_SIZE = 2
    """M, K, N, batch or m_block is zero."""
    OVERFLOW_POSSIBLE = 3
    """K is beyond the bound at which the 32-bit accumulator cannot overflow."""
    CAPACITY = 4
    """A block of m_block rows fits neither the A buffer nor the accumulators."""
    ALIGNMENT = 5
    """An address or a stride is not a multiple of the bus width in bytes."""
    PARAMETERS = 6
    """int8 output needs epilogue parameters."""
    WIDTH = 7
    """A size, an address or a stride has more bits than the device keeps."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Field:
    """A bit field of a 32-bit little-endian word in a record."""

    word: int
    lsb: int = 0
    width: int = 32
    doc: str


DESCRIPTOR_FIELDS = {
    "opcode": Field(word=0, lsb=0, width=8, doc="1: GEMM"),
    "b_layout": Field(word=0, lsb=8, width=1, doc="0: B is K×N, 1: B is N×K"),
    "output": Field(word=0, lsb=9, width=1, doc="0: D is int32, 1: D is int8"),
    "parameters": Field(word=0, lsb=10, width=1, doc="Fetch and apply epilogue parameters"),
    "relu": Field(word=0, lsb=11, width=1, doc="Negative results become zero"),
    "interrupt": Field(word=0, lsb=12, width=1, doc="Raise the completion interrupt"),
    "reserved": Field(word=0, lsb=13, width=19, doc="Zero"),
    "m": Field(word=1, width=DIMENSION_BITS, doc="Rows of A and D"),
    "reserved_m": Field(word=1, lsb=DIMENSION_BITS, width=8, doc="Zero"),
    "k": Field(word=2, width=DIMENSION_BITS, doc="Columns of A, the summed dimension"),
    "reserved_k": Field(word=2, lsb=DIMENSION_BITS, width=8, doc="Zero"),
    "n": Field(word=3, width=DIMENSION_BITS, doc="Columns of D"),
    "reserved_n": Field(word=3, lsb=DIMENSION_BITS, width=8, doc="Zero"),
    "batch": Field(word=4, lsb=0, width=16, doc="Number of products"),
    "m_block": Field(word=4, lsb=16, width=16, doc="Rows of A held on chip at once"),
    "a_address": Field(word=5, doc="Address of A"),
    "b_address": Field(word=6, doc="Address of B"),
    "d_address": Field(word=7, doc="Address of D"),
    "parameter_address": Field(word=8, doc="Address of N epilogue parameter records of 8 bytes"),
    "a_stride": Field(word=9, doc="Bytes from one row of A to the next"),
    "b_stride": Field(word=10, doc="Bytes from one stored row of B to the next"),
    "d_stride": Field(word=11, doc="Bytes from one row of D to the next"),
    "a_batch_stride": Field(word=12, doc="Bytes from one A to the next in the batch"),
    "b_batch_stride": Field(word=13, doc="Bytes from one B to the next in the batch"),
    "d_batch_stride": Field(word=14, doc="Bytes from one D to the next in the batch"),
    "tag": Field(word=15, doc="Copied to the completion record"),
}
"""The descriptor, at the start of a ring slot."""

ADDRESS_FIELDS = (
    "a_address",
    "b_address",
    "d_address",
    "parameter_address",
    "a_stride",
    "b_stride",
    "d_stride",
    "a_batch_stride",
    "b_batch_stride",
    "d_batch_stride",
)
"""Those that are bytes of device memory."""

SIZE_FIELDS = ("m", "k", "n", "batch", "m_block")
"""Those that are counted down."""


def kept_bits(config, name):
    """Bits of a descriptor's field that a device of this configuration keeps.

    Parameters
    ----------
    config : ArrayConfig
    name : str

    Returns
    -------
    int
    """
    width = DESCRIPTOR_FIELDS[name].width
    if name in ADDRESS_FIELDS:
        return min(width, config.address_bits)
    return min(width, config.dimension_bits) if name in SIZE_FIELDS else width


COMPLETION_FIELDS = {
    "code": Field(word=0, lsb=0, width=8, doc="How the descriptor ended"),
    "reason": Field(word=0, lsb=8, width=8, doc="Why it was rejected"),
    "fault_address": Field(word=1, doc="Address of the first access that failed, or zero"),
    "tag": Field(word=2, doc="The descriptor's tag"),
    "compute": Field(word=4, doc="Cycles in which a row of A entered the array"),
    "wait_a": Field(word=5, doc="Cycles in which the array waited for A"),
    "wait_b": Field(word=6, doc="Cycles in which the array waited for B"),
    "wait_output": Field(word=7, doc="Cycles in which the array waited for a free accumulator"),
    "fill": Field(word=8, doc="Cycles from the charge's begin until the array had the descriptor"),
    "drain": Field(word=9, doc="Cycles after the last row of A until completion or the next"),
}
"""The completion record, at byte 64 of a ring slot; words 3 and 10 to 15 are zero."""

PARAMETER_FIELDS = {
    "bias": Field(word=0, doc="Added to the accumulator, signed"),
    "multiplier": Field(word=1, lsb=0, width=16, doc="int8 output: multiplies the sum, unsigned"),
    "shift": Field(word=1, lsb=16, width=6, doc="int8 output: the product is shifted right, 0 to 63"),
    "reserved": Field(word=1, lsb=22, width=10, doc="Zero"),
}
"""The epilogue parameters of one output channel."""

_DERIVED = {"opcode", "reserved", "reserved_m", "reserved_k", "reserved_n"}


_KINDS = {"b_layout": BLayout, "output": Output} | dict.fromkeys(("parameters", "relu", "interrupt"), bool)

_CHECKS = tuple(
    (name, _KINDS.get(name, int), 1 << field.width)
    for name, field in DESCRIPTOR_FIELDS.items()
    if name not in _DERIVED
)
"""Name, type and bound of every field that a :class:`Descriptor` is made with."""


def _pack(fields, values):
    words = [0] * (RECORD_BYTES // 4)
    for name, field in fields.items():
        words[field.word] |= values[name] << field.lsb
    return struct.pack("<16I", *words)


def _unpack(fields, data):
    if len(data) != RECORD_BYTES:
        raise ValueError(f"a record must have {RECORD_BYTES} bytes, not {len(data)}")
    words = struct.unpack("<16I", data)
    return {name: words[field.word] >> field.lsb & ((1 << field.width) - 1) for name, field in fields.items()}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Descriptor:
    """One batched GEMM, ``D = epilogue(A·B)``, as the device reads it.

    ``A`` is ``(batch, M, K) int8``, ``B`` is ``(batch, K, N)`` or ``(batch, N, K) int8`` and ``D`` is
    ``(batch, M, N)`` int32 or int8. Addresses and strides are bytes and multiples of the bus width.

    The epilogue of column n, with all sums exact (33 bits), is

    - int32: ``clamp(acc + bias[n], -2**31, 2**31 - 1)``;
    - int8: ``clamp(((acc + bias[n]) * multiplier[n] + rounding) >> shift[n], -128, 127)`` with
      ``rounding = 1 << (shift[n] - 1)``, or 0 where ``shift[n]`` is 0; ``>>`` rounds down.

    With ``relu`` a negative result becomes 0. Without ``parameters`` the bias is 0. One parameter record
    of 8 bytes is ``bias`` (int32), ``multiplier`` (uint16), ``shift`` (6 bits), and zeros.

    Raises
    ------
    TypeError
        If a field is not an integer.
    ValueError
        If a field does not fit its width.
    """

    m: int
    k: int
    n: int
    batch: int = 1
    m_block: int
    b_layout: BLayout = BLayout.KN
    output: Output = Output.INT32
    parameters: bool = False
    relu: bool = False
    interrupt: bool = False
    a_address: int
    b_address: int
    d_address: int
    parameter_address: int = 0
    a_stride: int
    b_stride: int
    d_stride: int
    a_batch_stride: int = 0
    b_batch_stride: int = 0
    d_batch_stride: int = 0
    tag: int = 0

    def __post_init__(self):
        for name, kind, limit in _CHECKS:
            value = getattr(self, name)
            if not 0 <= operator.index(value) < limit:
                bits = limit.bit_length() - 1
                raise ValueError(f"{name} must be an unsigned number of {bits} bits, not {value}")
            if type(value) is not kind:
                object.__setattr__(self, name, kind(operator.index(value)))

    def pack(self):
        """The 64 bytes that the device fetches."""
        values = {name: int(getattr(self, name, 0)) for name in DESCRIPTOR_FIELDS}
        return _pack(DESCRIPTOR_FIELDS, values | {"opcode": 1})

    @classmethod
    def unpack(cls, data):
        """The descriptor in 64 bytes, and its opcode and reserved fields checked to be valid.

        Raises
        ------
        ValueError
            If the opcode is not 1 or a reserved bit is set.
        """
        values = _unpack(DESCRIPTOR_FIELDS, data)
        derived = {name: values.pop(name) for name in _DERIVED}
        if derived.pop("opcode") != 1 or any(derived.values()):
            raise ValueError(f"not a GEMM descriptor: {data.hex()}")
        return cls(**values)

    def check(self, config):
        """Why a device of this configuration would reject the descriptor; ``Reject.NONE`` if it runs."""
        if 0 in (self.m, self.k, self.n, self.batch, self.m_block):
            return Reject.ZERO_SIZE
        if self.k > K_MAX:
            return Reject.OVERFLOW_POSSIBLE
        if self.m_block > config.max_m_block(self.k):
            return Reject.CAPACITY
        if any(getattr(self, name) % config.bus_bytes for name in ADDRESS_FIELDS):
            return Reject.ALIGNMENT
        if self.output is Output.INT8 and not self.parameters:
            return Reject.PARAMETERS
        if any(getattr(self, name) >> kept_bits(config, name) for name in ADDRESS_FIELDS + SIZE_FIELDS):
            return Reject.WIDTH
        return Reject.NONE

    @property
    def macs(self):
        """Multiply-accumulates of the whole batch."""
        return self.batch * self.m * self.k * self.n

    def roofline_cycles(self, config):
        """Fewest cycles in which the array and the bus could do this work, each operand moved once.

        The largest of ⌈M·K·N ÷ (R·C)⌉, ⌈bytes of A, B and parameters ÷ bus bytes⌉ and ⌈bytes of D ÷
        bus bytes⌉, for the whole batch. An operand whose batch stride is 0 is one operand.
        """
        compute = -(-self.macs // config.peak_macs_per_cycle)
        a_count = self.batch if self.a_batch_stride else 1
        b_count = self.batch if self.b_batch_stride else 1
        read_bytes = self.k * (a_count * self.m + b_count * self.n)
        if self.parameters:
            read_bytes += self.n * PARAMETER_BYTES
        write_bytes = self.batch * self.m * self.n * (1 if self.output is Output.INT8 else 4)
        return max(compute, -(-read_bytes // config.bus_bytes), -(-write_bytes // config.bus_bytes))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Counters:
    """Cycles charged to one descriptor, in disjoint parts.

    Every cycle from the doorbell to the last completion is charged to exactly one descriptor that is run.
    A descriptor that is rejected or cannot be read is charged nothing; its cycles fall to the next one.
    """

    compute: int
    wait_a: int
    wait_b: int
    wait_output: int
    fill: int
    drain: int

    @property
    def parts(self):
        """The parts, by name."""
        return dataclasses.asdict(self)

    @property
    def total(self):
        """All of them."""
        return sum(self.parts.values())


@dataclasses.dataclass(frozen=True, kw_only=True)
class Completion:
    """What the device reports of one descriptor."""

    code: Code
    reason: Reject
    fault_address: int
    tag: int
    counters: Counters

    @classmethod
    def unpack(cls, data):
        """The completion record in 64 bytes."""
        values = _unpack(COMPLETION_FIELDS, data)
        counters = {field.name: values.pop(field.name) for field in dataclasses.fields(Counters)}
        values["code"] = Code(values["code"])
        values["reason"] = Reject(values["reason"])
        return cls(**values, counters=Counters(**counters))

    def pack(self):
        """The 64 bytes that the device writes."""
        values = {
            "code": self.code,
            "reason": self.reason,
            "fault_address": self.fault_address,
            "tag": self.tag,
        }
        return _pack(COMPLETION_FIELDS, values | self.counters.parts)
