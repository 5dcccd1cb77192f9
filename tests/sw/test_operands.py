"""Weights that stay in device memory."""

import gc

import numpy as np
import pytest
from sw.oracle import gemm, parameters
from systolith import OutOfDeviceMemory, PackedWeight, matmul, open_device
from systolith.matmul import pack
from systolith.operands import row_strides
from systolith.parameters import pack_parameters

B = np.random.default_rng(0).integers(-128, 128, (24, 40), np.int8)
A = np.random.default_rng(1).integers(-128, 128, (5, 24), np.int8)


def test_row_strides():
    assert row_strides((2, 3, 5, 7), 16, 1) == (240, 80, 16, 1)
    assert row_strides((5, 7), 32, 4) == (32, 4)


def test_packed(golden):
    before = golden.free_bytes
    weight = pack(B, device=golden, bias=3)
    assert (weight.shape, weight.k, weight.n, weight.freed) == ((24, 40), 24, 40, False)
    for _ in range(3):
        np.testing.assert_array_equal(matmul(A, weight), gemm(A, B, bias=3))
    assert len({record.descriptors[0].b_address for record in golden.trace}) == 1
    weight.free()
    weight.free()
    assert weight.freed
    golden.allocate(before)  # all of it, after the idle workspace has made room


def test_freed_with_the_object(golden):
    before = golden.free_bytes
    weight = PackedWeight(B, device=golden)
    del weight
    gc.collect()
    assert golden.free_bytes == before


def test_outlives_device():
    device = open_device("golden", memory_bytes=1 << 16)
    weight = PackedWeight(B, device=device)
    device.close()
    weight.free()


def test_batched(golden):
    b = np.random.default_rng(2).integers(-128, 128, (3, 7, 24), np.int8)
    with PackedWeight(b, device=golden, b_layout="nk") as weight:
        np.testing.assert_array_equal(matmul(A, weight), gemm(A, b, b_layout="nk"))
    assert weight.freed


def test_int8_and_int32_of_one_weight(golden):
    options = {"bias": np.arange(40), "multiplier": 20000, "shift": 24}
    with PackedWeight(B, device=golden, **options) as weight:
        np.testing.assert_array_equal(matmul(A, weight, out="int8"), gemm(A, B, out="int8", **options))
        np.testing.assert_array_equal(matmul(A, weight), gemm(A, B, bias=np.arange(40)))


def test_epilogue_of_one_call(golden):
    with PackedWeight(B, device=golden) as weight:
        np.testing.assert_array_equal(matmul(A, weight, bias=9, relu=True), gemm(A, B, bias=9, relu=True))


def test_wrong_use(golden):
    plain, biased = PackedWeight(B, device=golden), PackedWeight(B, device=golden, bias=1)
    with pytest.raises(ValueError, match=r"^b_layout must be 'kn' as packed, not 'nk'$"):
        matmul(A, plain, b_layout="nk")
    with pytest.raises(ValueError, match=r"^the packed weight has bias, multiplier and shift of its own$"):
        matmul(A, biased, bias=1)
    with pytest.raises(ValueError, match=r"^out='int8' needs multiplier and shift$"):
        matmul(A, biased, out="int8")
    with (
        open_device("golden", memory_bytes=1 << 16) as other,
        pytest.raises(ValueError, match=r"^the packed weight is resident on <golden device"),
    ):
        matmul(A, plain, device=other)
    plain.free()
    with pytest.raises(ValueError, match=r"^the packed weight has been freed$"):
        matmul(A, plain)


@pytest.mark.parametrize(
    ("b", "options", "error", "message"),
    [
        (B.astype(np.int16), {}, TypeError, "b must be int8, not int16"),
        (B[0], {}, ValueError, "b must have at least 2 dimensions, not shape (40,)"),
        (B[:0], {}, ValueError, "b must not have a size of zero: its shape is (0, 40)"),
        (B, {"b_layout": "KN"}, ValueError, "b_layout must be 'kn' or 'nk', not 'KN'"),
        (
            B,
            {"shift": 3},
            ValueError,
            "multiplier and shift must be given together, multiplier is missing",
        ),
    ],
)
def test_wrong_weight(golden, b, options, error, message):
    before = golden.free_bytes
    with pytest.raises(error) as info:
        PackedWeight(b, device=golden, **options)
    assert str(info.value) == message
    assert golden.free_bytes == before


def test_too_large():
    with open_device("golden", memory_bytes=4096) as device, pytest.raises(OutOfDeviceMemory):
        PackedWeight(np.zeros((65, 64), np.int8), device=device)


def test_pack_parameters():
    packed = pack_parameters(3, bias=[-1, 0, 2**31 - 1], multiplier=[0, 1, 65535], shift=[0, 63, 5])
    expected = parameters([-1, 0, 2**31 - 1], [0, 1, 65535], [0, 63, 5])
    np.testing.assert_array_equal(packed.view(np.uint8), expected)
