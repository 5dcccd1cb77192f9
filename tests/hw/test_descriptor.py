import dataclasses
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from systolith.golden import PARAMETER_DTYPE
from systolith_hw.config import ArrayConfig
from systolith_hw.descriptor import (
    COMPLETION_FIELDS,
    DESCRIPTOR_FIELDS,
    PARAMETER_FIELDS,
    RECORD_BYTES,
    SLOT_BYTES,
    BLayout,
    Code,
    Completion,
    Counters,
    Descriptor,
    Field,
    Output,
    Reject,
)

CONFIG = ArrayConfig()

GEMM = {
    "m": 3,
    "k": 5,
    "n": 7,
    "m_block": 3,
    "a_address": 0x1000,
    "b_address": 0x2000,
    "d_address": 0x3000,
    "a_stride": 16,
    "b_stride": 16,
    "d_stride": 32,
}
"""A descriptor that runs on ``CONFIG``."""

WIDTHS = {
    "m": 24,
    "k": 24,
    "n": 24,
    "batch": 16,
    "m_block": 16,
    "a_address": 32,
    "b_address": 32,
    "d_address": 32,
    "parameter_address": 32,
    "a_stride": 32,
    "b_stride": 32,
    "d_stride": 32,
    "a_batch_stride": 32,
    "b_batch_stride": 32,
    "d_batch_stride": 32,
    "tag": 32,
}

ALIGNED = [name for name in WIDTHS if name.endswith(("_address", "_stride"))]

words = st.integers(0, 2**32 - 1)

descriptors = st.builds(
    Descriptor,
    **{name: st.integers(0, (1 << width) - 1) for name, width in WIDTHS.items()},
    b_layout=st.sampled_from(BLayout),
    output=st.sampled_from(Output),
    parameters=st.booleans(),
    relu=st.booleans(),
    interrupt=st.booleans(),
)

counters = st.builds(Counters, **{field.name: words for field in dataclasses.fields(Counters)})

completions = st.builds(
    Completion,
    code=st.sampled_from(Code),
    reason=st.sampled_from(Reject),
    fault_address=words,
    tag=words,
    counters=counters,
)


def gemm(**values):
    return Descriptor(**{**GEMM, **values})


def bit_positions(field):
    return {32 * field.word + field.lsb + bit for bit in range(field.width)}


def check_no_overlap(fields):
    taken = set()
    for name, field in fields.items():
        assert 0 <= field.lsb < field.lsb + field.width <= 32, name
        assert 0 <= field.word < RECORD_BYTES // 4, name
        assert not taken & bit_positions(field), name
        taken |= bit_positions(field)
    return taken


def test_sizes():
    assert RECORD_BYTES == 64
    assert SLOT_BYTES == 128


def test_descriptor_fields():
    """Every bit of the record belongs to exactly one field."""
    assert check_no_overlap(DESCRIPTOR_FIELDS) == set(range(8 * RECORD_BYTES))


def test_completion_fields():
    assert max(check_no_overlap(COMPLETION_FIELDS)) < 32 * 10


def test_fields_overlap():
    """The check above can fail."""
    fields = {"one": Field(word=0, lsb=0, width=8, doc=""), "other": Field(word=0, lsb=7, width=1, doc="")}
    with pytest.raises(AssertionError, match="other"):
        check_no_overlap(fields)


def test_fields_have_docs():
    for name, field in (DESCRIPTOR_FIELDS | COMPLETION_FIELDS).items():
        assert field.doc, name


def test_fields_cover_the_classes():
    reserved = {"opcode", "reserved", "reserved_m", "reserved_k", "reserved_n"}
    assert {field.name for field in dataclasses.fields(Descriptor)} == set(DESCRIPTOR_FIELDS) - reserved
    names = {field.name for field in dataclasses.fields(Completion)} - {"counters"}
    assert names | {field.name for field in dataclasses.fields(Counters)} == set(COMPLETION_FIELDS)


def test_init():
    descriptor = gemm()
    assert descriptor.batch == 1
    assert descriptor.b_layout is BLayout.KN
    assert descriptor.output is Output.INT32
    assert (descriptor.parameters, descriptor.relu, descriptor.interrupt) == (False, False, False)
    assert descriptor.parameter_address == 0
    assert (descriptor.a_batch_stride, descriptor.b_batch_stride, descriptor.d_batch_stride) == (0, 0, 0)
    assert descriptor.tag == 0


def test_init_positional():
    with pytest.raises(TypeError, match="positional argument"):
        Descriptor(1, 1, 1)


def test_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        gemm().m = 4


@pytest.mark.parametrize(("name", "width"), WIDTHS.items())
def test_init_wrong_width(name, width):
    assert getattr(gemm(**{name: (1 << width) - 1}), name) == (1 << width) - 1
    for value in (-1, 1 << width):
        with pytest.raises(
            ValueError, match=rf"^{name} must be an unsigned number of {width} bits, not {value}$"
        ):
            gemm(**{name: value})


@pytest.mark.parametrize("name", ["b_layout", "output", "parameters", "relu", "interrupt"])
def test_init_wrong_flag(name):
    with pytest.raises(ValueError, match=rf"^{name} must be an unsigned number of 1 bits, not 2$"):
        gemm(**{name: 2})


def test_pack():
    descriptor = Descriptor(
        m=0x010203,
        k=0x040506,
        n=0x070809,
        batch=0x0A0B,
        m_block=0x0C0D,
        b_layout=BLayout.NK,
        output=Output.INT8,
        parameters=True,
        relu=True,
        interrupt=True,
        a_address=0x10101010,
        b_address=0x20202020,
        d_address=0x30303030,
        parameter_address=0x40404040,
        a_stride=0x50505050,
        b_stride=0x60606060,
        d_stride=0x70707070,
        a_batch_stride=0x80808080,
        b_batch_stride=0x90909090,
        d_batch_stride=0xA0A0A0A0,
        tag=0xDEADBEEF,
    )
    assert descriptor.pack().hex(" ", 4) == (
        "011f0000 03020100 06050400 09080700 0b0a0d0c 10101010 20202020 30303030 "
        "40404040 50505050 60606060 70707070 80808080 90909090 a0a0a0a0 efbeadde"
    )


@pytest.mark.parametrize(
    ("name", "value", "word"),
    [
        ("b_layout", BLayout.NK, 0x0101),
        ("output", Output.INT8, 0x0201),
        ("parameters", True, 0x0401),
        ("relu", True, 0x0801),
        ("interrupt", True, 0x1001),
    ],
)
def test_pack_flag(name, value, word):
    assert struct.unpack("<I", gemm(**{name: value}).pack()[:4]) == (word,)


@given(descriptors)
def test_pack_unpack(descriptor):
    data = descriptor.pack()
    assert len(data) == RECORD_BYTES
    unpacked = Descriptor.unpack(data)
    assert unpacked == descriptor
    assert type(unpacked.b_layout) is BLayout
    assert type(unpacked.output) is Output
    assert {type(getattr(unpacked, name)) for name in ("parameters", "relu", "interrupt")} == {bool}


@pytest.mark.parametrize("opcode", [0, 2, 255])
def test_unpack_wrong_opcode(opcode):
    data = bytes([opcode]) + gemm().pack()[1:]
    with pytest.raises(ValueError) as caught:
        Descriptor.unpack(data)
    assert str(caught.value) == f"not a GEMM descriptor: {data.hex()}"


@pytest.mark.parametrize(
    ("word", "bit"), [(0, 13), (0, 31), (1, 24), (1, 31), (2, 24), (2, 31), (3, 24), (3, 31)]
)
def test_unpack_wrong_reserved(word, bit):
    data = bytearray(gemm().pack())
    data[4 * word + bit // 8] |= 1 << bit % 8
    with pytest.raises(ValueError) as caught:
        Descriptor.unpack(bytes(data))
    assert str(caught.value) == f"not a GEMM descriptor: {data.hex()}"


@pytest.mark.parametrize("size", [0, 63, 65, 128])
def test_unpack_wrong_size(size):
    with pytest.raises(ValueError, match=f"^a record must have 64 bytes, not {size}$"):
        Descriptor.unpack(bytes(size))


def test_check():
    assert gemm().check(CONFIG) is Reject.NONE
    assert gemm(output=Output.INT8, parameters=True).check(CONFIG) is Reject.NONE
    assert gemm(m=2**24 - 1, n=2**24 - 1, batch=65535).check(CONFIG) is Reject.NONE


@pytest.mark.parametrize("name", ["m", "k", "n", "batch", "m_block"])
def test_check_zero_size(name):
    assert gemm(**{name: 0}).check(CONFIG) is Reject.ZERO_SIZE
    assert gemm(**{name: 1}).check(CONFIG) is Reject.NONE


def test_check_overflow_possible():
    config = ArrayConfig(a_buffer_lines=16384)
    assert gemm(k=131071, m_block=2).check(config) is Reject.NONE
    assert gemm(k=131072, m_block=1).check(config) is Reject.OVERFLOW_POSSIBLE


@pytest.mark.parametrize(("k", "m_block"), [(16, 256), (257, 240), (1536, 42), (65536, 1)])
def test_check_capacity(k, m_block):
    assert gemm(k=k, m_block=m_block).check(CONFIG) is Reject.NONE
    assert gemm(k=k, m_block=m_block + 1).check(CONFIG) is Reject.CAPACITY


def test_check_capacity_not_one_row():
    assert gemm(k=65537, m_block=1).check(CONFIG) is Reject.CAPACITY


@pytest.mark.parametrize("name", ALIGNED)
@pytest.mark.parametrize("offset", [1, 4, 8, 15])
def test_check_alignment(name, offset):
    assert gemm(**{name: 0x4000 + offset}).check(CONFIG) is Reject.ALIGNMENT
    assert gemm(**{name: 0x4000}).check(CONFIG) is Reject.NONE


def test_check_alignment_bus():
    """What counts is the width of the bus, not that of the array."""
    narrow = ArrayConfig(axi_data_bits=32)
    assert gemm(a_address=0x1004).check(narrow) is Reject.NONE
    assert gemm(a_address=0x1002).check(narrow) is Reject.ALIGNMENT


def test_check_parameters():
    assert gemm(output=Output.INT8).check(CONFIG) is Reject.PARAMETERS


@pytest.mark.parametrize(
    ("name", "bits"),
    [("m", 10), ("n", 10), ("batch", 10), ("a_address", 16), ("d_stride", 16), ("b_batch_stride", 16)],
)
def test_check_width(name, bits):
    narrow = ArrayConfig(rows=16, columns=16, address_bits=16, dimension_bits=10)
    fitting = gemm(a_address=0, b_address=0, d_address=0, m_block=1)
    largest = (1 << bits) - 1 & ~15 if bits == 16 else (1 << bits) - 1
    assert dataclasses.replace(fitting, **{name: largest}).check(narrow) is Reject.NONE
    assert dataclasses.replace(fitting, **{name: 1 << bits}).check(narrow) is Reject.WIDTH


def test_check_order():
    """With every fault at once the lowest code is reported; each repair uncovers the next."""
    faults = {"n": 0, "k": 131072, "m_block": 60000, "d_stride": 17, "output": Output.INT8}
    repairs = [("n", 7), ("k", 5), ("m_block", 3), ("d_stride", 16), ("parameters", True)]
    seen = [gemm(**faults).check(CONFIG)]
    for name, value in repairs:
        faults[name] = value
        seen.append(gemm(**faults).check(CONFIG))
    assert seen == [
        Reject.ZERO_SIZE,
        Reject.OVERFLOW_POSSIBLE,
        Reject.CAPACITY,
        Reject.ALIGNMENT,
        Reject.PARAMETERS,
        Reject.NONE,
    ]
    assert seen[:-1] == sorted(seen[:-1])


def test_macs():
    assert gemm(m=3, k=5, n=7, batch=2).macs == 210


@pytest.mark.parametrize(
    ("values", "cycles"),
    [
        # 64·384·384 ÷ 256 products a cycle, against (384·448) ÷ 16 and 64·384·4 ÷ 16.
        ({"m": 64, "k": 384, "n": 384}, 36864),
        # One row: 1·384·384 ÷ 256 = 576, reads (384 + 384·384) ÷ 16 = 9240, writes 96.
        ({"m": 1, "k": 384, "n": 384}, 9240),
        # The same with parameters: 384·8 bytes more.
        ({"m": 1, "k": 384, "n": 384, "parameters": True}, 9432),
        # Outer product: 100·1·100 ÷ 256 = 40, reads 13, writes 40000 ÷ 16.
        ({"m": 100, "k": 1, "n": 100}, 2500),
        # As int8: writes 10000 ÷ 16; parameters make the reads 1000 ÷ 16.
        ({"m": 100, "k": 1, "n": 100, "output": Output.INT8, "parameters": True}, 625),
        # Everything rounds up: 3·5·7 = 105 products, 50 bytes in, 84 bytes out.
        ({}, 6),
        # The batch counts as one: 12 times 32·64·32 ÷ 256.
        ({"m": 32, "k": 64, "n": 32, "batch": 12}, 3072),
        # 10 times 84 bytes out is 52.5 beats, not 10 times 6.
        ({"batch": 10}, 53),
        ({"m": 1, "k": 1, "n": 1}, 1),
    ],
)
def test_roofline_cycles(values, cycles):
    assert gemm(**values).roofline_cycles(CONFIG) == cycles


def test_roofline_cycles_config():
    descriptor = gemm(m=64, k=256, n=256)
    assert descriptor.roofline_cycles(ArrayConfig(rows=8, columns=8)) == 65536
    assert descriptor.roofline_cycles(ArrayConfig(rows=32, columns=32)) == 4096
    # 64·256·4 bytes out over 4 bytes a cycle are as many; 256·320 bytes in are 20480.
    assert descriptor.roofline_cycles(ArrayConfig(rows=32, columns=32, axi_data_bits=32)) == 20480


def test_counters_parts():
    values = {"compute": 1, "wait_a": 2, "wait_b": 4, "wait_output": 8, "fill": 16, "drain": 32}
    made = Counters(**values)
    assert made.parts == values
    assert made.total == 63


def test_completion_pack():
    made = Completion(
        code=Code.READ_ERROR,
        reason=Reject.NONE,
        fault_address=0x12345678,
        tag=0xDEADBEEF,
        counters=Counters(compute=1, wait_a=2, wait_b=3, wait_output=4, fill=5, drain=6),
    )
    assert made.pack().hex(" ", 4) == (
        "03000000 78563412 efbeadde 00000000 01000000 02000000 03000000 04000000 "
        "05000000 06000000 00000000 00000000 00000000 00000000 00000000 00000000"
    )
    rejected = dataclasses.replace(made, code=Code.REJECTED, reason=Reject.ALIGNMENT)
    assert rejected.pack()[:4].hex() == "02050000"


@given(completions)
def test_completion_pack_unpack(completion):
    data = completion.pack()
    assert len(data) == RECORD_BYTES
    unpacked = Completion.unpack(data)
    assert unpacked == completion
    assert type(unpacked.code) is Code
    assert type(unpacked.reason) is Reject


def test_completion_unpack_zeros():
    """A slot that the driver has cleared is pending."""
    assert Completion.unpack(bytes(64)).code is Code.PENDING


@pytest.mark.parametrize(
    ("data", "message"), [(b"\x05", "5 is not a valid Code"), (b"\x02\x08", "8 is not a valid Reject")]
)
def test_completion_unpack_wrong(data, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        Completion.unpack(data.ljust(64, b"\0"))


def test_enums_stored():
    """Values that the hardware and drivers in the field rely on."""
    assert [(code.name, code.value) for code in Code] == [
        ("PENDING", 0),
        ("OK", 1),
        ("REJECTED", 2),
        ("READ_ERROR", 3),
        ("WRITE_ERROR", 4),
    ]
    assert [(reject.name, reject.value) for reject in Reject] == [
        ("NONE", 0),
        ("OPCODE", 1),
        ("ZERO_SIZE", 2),
        ("OVERFLOW_POSSIBLE", 3),
        ("CAPACITY", 4),
        ("ALIGNMENT", 5),
        ("PARAMETERS", 6),
        ("WIDTH", 7),
    ]
    assert [(layout.name, layout.value) for layout in BLayout] == [("KN", 0), ("NK", 1)]
    assert [(output.name, output.value) for output in Output] == [("INT32", 0), ("INT8", 1)]


def test_init_plain_integers():
    """Plain and NumPy integers become what the field holds."""
    descriptor = gemm(output=np.int64(1), b_layout=1, parameters=1, m=np.int32(3))
    assert descriptor.output is Output.INT8
    assert descriptor.b_layout is BLayout.NK
    assert descriptor.parameters is True
    assert type(descriptor.m) is int


@pytest.mark.parametrize("value", [3.7, "3", None])
def test_init_wrong_type(value):
    with pytest.raises(TypeError, match="cannot be interpreted as an integer"):
        gemm(m=value)


def test_roofline_broadcast():
    """An operand that the whole batch shares is read once."""
    config = ArrayConfig(rows=16, columns=16)
    strides = {"a_batch_stride": 16, "b_batch_stride": 256}
    own = gemm(batch=8, m=1, k=16, n=16, m_block=1, **strides)
    shared = gemm(batch=8, m=1, k=16, n=16, m_block=1, **(strides | {"b_batch_stride": 0}))
    assert own.roofline_cycles(config) == 8 * (1 + 16)
    assert shared.roofline_cycles(config) == 8 * 4  # D is the bound: 64 bytes each


def test_parameter_fields():
    """One record is two words without gaps, and NumPy's view of it agrees."""
    assert check_no_overlap(PARAMETER_FIELDS) == set(range(64))
    for name, offset in (("bias", 0), ("multiplier", 4), ("shift", 6)):
        field = PARAMETER_FIELDS[name]
        assert PARAMETER_DTYPE.fields[name][1] == offset == (32 * field.word + field.lsb) // 8
