"""``systolith.matmul`` on every target: any array in, the exact bits out."""

import dataclasses

import numpy as np
import pytest
from hypothesis import strategies as st
from sw.cases import CONFIGS, RUNS, SIZES, SMALL_SIZES, Epilogue, check_property, epilogues, fill
from sw.oracle import gemm
from systolith import ArrayConfig, OutOfDeviceMemory, PackedWeight, matmul, open_device
from systolith.matmul import pack
from systolith_hw.config import K_MAX

EXAMPLES = {"golden": 150, "rtl": 15}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Case:
    a: np.ndarray
    b: np.ndarray
    b_layout: str
    epilogue: Epilogue
    resident: bool


def odd_view(draw, shape):
    """An array of this shape, contiguous or not."""
    match draw(st.sampled_from(["contiguous", "transposed", "reversed", "strided", "fortran"])):
        case "contiguous":
            return fill(draw, shape)
        case "transposed":
            return fill(draw, (*shape[:-2], shape[-1], shape[-2])).swapaxes(-1, -2)
        case "reversed":
            return fill(draw, shape)[..., ::-1, ::-1]
        case "strided":
            return fill(draw, (*shape[:-2], 2 * shape[-2], 3 * shape[-1]))[..., ::2, ::3]
        case _:
            return np.asfortranarray(fill(draw, shape))


@st.composite
def cases(draw, sizes):
    m, k, n = draw(sizes), draw(sizes), draw(sizes)
    a_batch, b_batch = draw(
        st.sampled_from(
            [
                ((), ()),
                ((), ()),
                ((3,), ()),
                ((), (3,)),
                ((2, 2), (2, 2)),
                ((2, 3), (2, 1)),
                ((2, 1), (3,)),
                ((2, 1, 2), (2, 2)),
            ]
        )
    )
    b_layout = draw(st.sampled_from(["kn", "nk"]))
    return Case(
        a=odd_view(draw, (*a_batch, m, k)),
        b=odd_view(draw, (*b_batch, *((k, n) if b_layout == "kn" else (n, k)))),
        b_layout=b_layout,
        epilogue=draw(epilogues(n)),
        resident=draw(st.booleans()),
    )


def check(device, case):
    options = case.epilogue.options
    expected = gemm(case.a, case.b, b_layout=case.b_layout, **options)
    if case.resident:
        parameters = {name: options.pop(name) for name in ("bias", "multiplier", "shift")}
        with PackedWeight(case.b, device=device, b_layout=case.b_layout, **parameters) as weight:
            actual = matmul(case.a, weight, **options)
    else:
        actual = matmul(case.a, case.b, device=device, b_layout=case.b_layout, **options)
    assert actual.dtype == expected.dtype
    assert actual.flags.owndata
    np.testing.assert_array_equal(actual, expected)
    assert device.trace.macs == np.prod(expected.shape) * case.a.shape[-1]
    if device.trace.counters is not None:
        assert device.trace.cycles == sum(device.trace.counters.parts.values())
    device.trace.clear()


@pytest.mark.parametrize(("target", "name"), RUNS)
def test_matmul(open_shared, target, name):
    device = open_shared(target, CONFIGS[name])
    sizes = SIZES if target == "golden" else SMALL_SIZES
    check_property(lambda case: check(device, case), cases(sizes), examples=EXAMPLES[target])


def check_small_memory(case):
    """Nothing beside the workspace is written, and what does not fit is run in parts."""
    with open_device("golden", CONFIGS["4x4-small"], memory_bytes=1 << 13) as device:
        guards = [device.allocate(64) for _ in range(2)]
        for guard in guards:
            device.write(guard.address, np.full(64, 0x5A, np.uint8))
        check(device, case)
        for guard in guards:
            assert (device.read(guard.address, 64) == 0x5A).all()


def test_small_memory():
    sizes = st.integers(1, 60)
    strategy = cases(sizes).filter(lambda case: not case.resident)
    check_property(check_small_memory, strategy, examples=80)


def test_resident_in_parts():
    rng = np.random.default_rng(0)
    b = rng.integers(-128, 128, (2, 24, 8), np.int8)
    with open_device("golden", CONFIGS["4x4-small"], memory_bytes=1 << 12) as device:
        device.allocate(1 << 11)
        weight = PackedWeight(b, device=device, bias=5)
        a = rng.integers(-128, 128, (5, 2, 40, 24), np.int8)
        np.testing.assert_array_equal(matmul(a, weight), gemm(a, b, bias=5))
        assert len(device.trace) > 5


def test_resident_in_parts_reads_back():
    """Where a row of A with all of a resident B does not fit, B is cut nevertheless."""
    rng = np.random.default_rng(1)
    b = rng.integers(-128, 128, (300, 9), np.int8)
    a = rng.integers(-128, 128, (2, 9), np.int8)
    epilogue = {"bias": 7, "multiplier": 3, "shift": 5}
    for out in ("int32", "int8"):
        with open_device("golden", CONFIGS["4x4-small"], memory_bytes=1 << 13) as device:
            weight = PackedWeight(b, device=device, b_layout="nk", **epilogue)
            device.allocate(device.largest_free_bytes - 512)
            used = epilogue if out == "int8" else {"bias": 7}
            expected = gemm(a, b, b_layout="nk", out=out, **used)
            np.testing.assert_array_equal(matmul(a, weight, out=out), expected)


@pytest.mark.parametrize("out", ["int32", "int8"])
@pytest.mark.parametrize("b_layout", ["kn", "nk"])
@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("shape", [(1, 20_000, 1), (3, 9_000, 2), (40, 700, 40)])
def test_k_in_parts(out, b_layout, relu, shape):
    """What of A and B does not fit even for one element of the result."""
    m, k, n = shape
    rng = np.random.default_rng(k)
    a = rng.integers(-128, 128, (m, k), np.int8)
    b = rng.integers(-128, 128, (k, n) if b_layout == "kn" else (n, k), np.int8)
    options = {"bias": rng.integers(-(2**30), 2**30, n), "relu": relu, "out": out, "b_layout": b_layout}
    if out == "int8":
        options |= {"multiplier": rng.integers(0, 1 << 16, n), "shift": rng.integers(20, 40, n)}
    with open_device("golden", CONFIGS["4x4-small"], memory_bytes=1 << 13) as device:
        np.testing.assert_array_equal(matmul(a, b, device=device, **options), gemm(a, b, **options))
        assert len(device.trace) > 1
        assert device.trace.macs == m * k * n


def test_memory_exhausted(golden):
    golden.allocate(golden.free_bytes)
    a = np.ones((3, 4), np.int8)
    with pytest.raises(OutOfDeviceMemory, match=r"0 of 4194304 bytes are free") as info:
        matmul(a, a.T, device=golden)
    assert info.value.__context__ is None


@pytest.mark.parametrize("b_layout", ["kn", "nk"])
@pytest.mark.parametrize("out", ["int32", "int8"])
@pytest.mark.parametrize(("target", "name"), [("golden", "4x4-small"), ("rtl", "2x8-narrow")])
def test_long_k(open_shared, target, name, b_layout, out):
    """K beyond one row of the A buffer: partial sums, added and requantized by the host."""
    config = CONFIGS[name]
    k = 3 * config.a_buffer_lines * config.line_bytes + 5
    rng = np.random.default_rng(0)
    a = rng.integers(-128, 128, (2, 6, k), np.int8)
    b = rng.integers(-128, 128, (2, k, 9) if b_layout == "kn" else (2, 9, k), np.int8)
    options = {"b_layout": b_layout, "out": out, "relu": True, "bias": np.arange(9) * 1000 - 4000}
    if out == "int8":
        options |= {"multiplier": np.arange(9) + 30000, "shift": 27}
    device = open_shared(target, config)
    with device.tracing() as trace:
        np.testing.assert_array_equal(matmul(a, b, device=device, **options), gemm(a, b, **options))
    (record,) = trace
    assert (record.k, len(record.descriptors)) == (k, 4)
    assert record.roofline_cycles > 0


def test_longest_k(golden):
    """No sum can overflow: all −128 at the largest K is just within int32."""
    a = np.full((1, K_MAX), -128, np.int8)
    assert matmul(a, a, device=golden, b_layout="nk") == K_MAX << 14


def matrix(*shape, dtype=np.int8):
    return np.ones(shape, dtype)


@pytest.mark.parametrize(
    ("a", "b", "options", "error", "message"),
    [
        ([[1]], matrix(1, 1), {}, TypeError, "a must be a NumPy array of int8, not list"),
        (matrix(1, 1), 7, {}, TypeError, "b must be a NumPy array of int8, not int"),
        (matrix(1, 1, dtype=np.float32), matrix(1, 1), {}, TypeError, "a must be int8, not float32"),
        (matrix(1, 1), matrix(1, 1, dtype=np.uint8), {}, TypeError, "b must be int8, not uint8"),
        (matrix(3), matrix(3, 1), {}, ValueError, "a must have at least 2 dimensions, not shape (3,)"),
        (matrix(0, 3), matrix(3, 1), {}, ValueError, "a must not have a size of zero: its shape is (0, 3)"),
        (matrix(1, 0), matrix(0, 1), {}, ValueError, "a must not have a size of zero: its shape is (1, 0)"),
        (
            matrix(1, 3),
            matrix(0, 3, 1),
            {},
            ValueError,
            "b must not have a size of zero: its shape is (0, 3, 1)",
        ),
        (
            matrix(2, 3),
            matrix(4, 5),
            {},
            ValueError,
            "K must be equal: a of shape (2, 3) has 3, b of shape (4, 5) has 4",
        ),
        (
            matrix(2, 3),
            matrix(4, 5),
            {"b_layout": "nk"},
            ValueError,
            "K must be equal: a of shape (2, 3) has 3, b of shape (4, 5) has 5",
        ),
        (
            matrix(2, 2, 3),
            matrix(3, 3, 3),
            {},
            ValueError,
            "the batch dimensions (2,) of a and (3,) of b do not broadcast",
        ),
        (
            matrix(1, K_MAX + 1),
            matrix(K_MAX + 1, 1),
            {},
            ValueError,
            "K must be at most 131071, beyond which int32 could overflow, not 131072",
        ),
        (
            matrix(1, 1),
            matrix(1, 1),
            {"b_layout": "mn"},
            ValueError,
            "b_layout must be 'kn' or 'nk', not 'mn'",
        ),
        (
            matrix(1, 1),
            matrix(1, 1),
            {"out": "int16"},
            ValueError,
            "out must be 'int32' or 'int8', not 'int16'",
        ),
        (matrix(1, 1), matrix(1, 1), {"out": "int8"}, ValueError, "out='int8' needs multiplier and shift"),
        (
            matrix(1, 1),
            matrix(1, 1),
            {"multiplier": 1, "shift": 1},
            ValueError,
            "multiplier and shift need out='int8'",
        ),
        (
            matrix(1, 1),
            matrix(1, 1),
            {"multiplier": 1, "out": "int8"},
            ValueError,
            "multiplier and shift must be given together, shift is missing",
        ),
        (
            matrix(1, 1),
            matrix(1, 1),
            {"shift": 1, "out": "int8"},
            ValueError,
            "multiplier and shift must be given together, multiplier is missing",
        ),
        (
            np.ma.masked_array(matrix(1, 1)),
            matrix(1, 1),
            {},
            TypeError,
            "a must not be a masked array, whose mask would be lost; call its filled()",
        ),
        (matrix(1, 1), matrix(1, 1), {"bias": 0.5}, TypeError, "bias must be of integers, not float64"),
        (matrix(1, 1), matrix(1, 2), {"bias": [1]}, ValueError, "bias must have shape (2,), not (1,)"),
        (
            matrix(1, 1),
            matrix(1, 1),
            {"bias": 1 << 31},
            ValueError,
            "bias must be from -2147483648 to 2147483647, not 2147483648",
        ),
        (
            matrix(1, 1),
            matrix(1, 1),
            {"multiplier": -1, "shift": 0, "out": "int8"},
            ValueError,
            "multiplier must be from 0 to 65535, not -1",
        ),
        (
            matrix(1, 1),
            matrix(1, 2),
            {"multiplier": 1, "shift": [0, 64], "out": "int8"},
            ValueError,
            "shift must be from 0 to 63, not 0 to 64",
        ),
    ],
)
def test_matmul_wrong(golden, a, b, options, error, message):
    with pytest.raises(error) as info:
        matmul(a, b, device=golden, **options)
    assert str(info.value) == message
    assert not golden.trace


def test_matmul_wrong_device():
    with pytest.raises(TypeError, match=r"^device must be given unless b is a PackedWeight$"):
        matmul(matrix(1, 1), matrix(1, 1))
    message = "device must be a Device, not 'golden': pass what systolith.open_device('golden') returns"
    with pytest.raises(TypeError) as info:
        matmul(matrix(1, 1), matrix(1, 1), device="golden")
    assert str(info.value) == message
    with pytest.raises(TypeError, match=r"^device must be a Device, not 3: pass what "):
        pack(matrix(1, 1), device=3)


def test_buffers_are_reused(golden):
    a, b = matrix(9, 70), matrix(70, 30)
    matmul(a, b, device=golden)
    free = golden.free_bytes
    for _ in range(20):
        matmul(a, b, device=golden)
    assert golden.free_bytes == free
    assert len({record.descriptors for record in golden.trace}) == 1


def test_default_config():
    with open_device("golden") as device:
        assert device.config == ArrayConfig()


@pytest.mark.parametrize("relu", [False, True])
def test_serial_epilogue(open_shared, relu):
    """Every multiplier and every shift, with sums of all sizes; results that fill their range."""
    device = open_shared("rtl", ArrayConfig.parse("2x2-a64-b64-acc8-lc16"))
    rng = np.random.default_rng(relu)
    n = 1 << 16
    a, b = rng.integers(-128, 128, (2, 3), np.int8), rng.integers(-128, 128, (3, n), np.int8)
    bias = rng.integers(-(1 << 31), 1 << 31, n, np.int32) >> rng.integers(0, 32, n, np.int32)
    multiplier = rng.permutation(n).astype(np.uint16)
    size = np.log2(1 + np.abs(bias.astype(np.float64)) * multiplier)
    fitting = np.clip(size - 7 + rng.integers(-1, 3, n), 0, 63)
    shift = np.where(rng.random(n) < 0.5, fitting, np.arange(n) % 64).astype(np.uint8)
    options = {"bias": bias, "multiplier": multiplier, "shift": shift, "relu": relu, "out": "int8"}
    result = matmul(a, b, device=device, **options)
    np.testing.assert_array_equal(result, gemm(a, b, **options))
    assert len(np.unique(result)) == (128 if relu else 256)
