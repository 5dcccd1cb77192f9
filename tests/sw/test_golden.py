"""The golden arithmetic against oracles that share no code with it."""

import dataclasses

import numpy as np
import onnxruntime
import pytest
from hypothesis import strategies as st
from sw.cases import check_property, fill
from systolith import ArrayConfig, BusError, DescriptorRejected, open_device
from systolith.golden import gemm, product, requantize, saturate
from systolith_hw import Code, Descriptor, Output, Reject
from systolith_hw.config import K_MAX
from threadpoolctl import threadpool_info, threadpool_limits

from sw import oracle


@pytest.fixture(scope="module")
def matmul_integer():
    """ONNX Runtime's MatMulInteger as a function of two int8 arrays.

    The model is written as Protocol Buffers by hand, because the ``onnx`` package is not needed otherwise.
    """

    def message(*fields):
        data = b""
        for number, value in fields:
            if isinstance(value, int):
                data += bytes([number << 3, value])
            else:
                value = value.encode() if isinstance(value, str) else value
                assert len(value) < 128
                data += bytes([number << 3 | 2, len(value)]) + value
        return data

    def tensor(name, element_type):
        dims = message((1, message((2, "r"))), (1, message((2, "c"))))
        return message((1, name), (2, message((1, message((1, element_type), (2, dims))))))

    node = message((1, "A"), (1, "B"), (2, "Y"), (4, "MatMulInteger"))
    inputs = [(11, tensor(name, 3)) for name in "AB"]
    graph = message((1, node), (2, "g"), *inputs, (12, tensor("Y", 6)))
    model = bytes([1 << 3, 8, 7 << 3 | 2, len(graph)]) + graph + bytes([8 << 3 | 2, 2, 2 << 3, 13])
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return lambda a, b: session.run(None, {"A": a, "B": b})[0]


@st.composite
def products(draw):
    m, n = draw(st.integers(1, 60)), draw(st.integers(1, 60))
    k = draw(st.one_of(st.integers(1, 200), st.sampled_from([1023, 1024, 1025, 5000])))
    return fill(draw, (m, k)), fill(draw, (k, n))


def test_product(matmul_integer):
    def check(case):
        a, b = case
        actual = product(a, b)
        assert actual.dtype == np.int32
        np.testing.assert_array_equal(actual, oracle.gemm(a, b))
        np.testing.assert_array_equal(actual, matmul_integer(a, b))
        np.testing.assert_array_equal(product(a, np.ascontiguousarray(b.T), b_layout="nk"), actual)

    check_property(check, products(), examples=100)


@pytest.mark.parametrize("k", [1, 1023, 1024, 1025, 1040, 1041, 4096, K_MAX])
@pytest.mark.parametrize("fills", [(-128, -128), (-128, 127), (127, 127)])
def test_product_extremes(k, fills):
    """Sums of the largest magnitude, and one odd element that float32 would lose beyond 2**24."""
    a, b = np.full((2, k), fills[0], np.int8), np.full((k, 2), fills[1], np.int8)
    a[1, -1] = b[-1, 1] = 1
    np.testing.assert_array_equal(product(a, b), oracle.gemm(a, b))


def test_product_in_chunks(monkeypatch):
    rng = np.random.default_rng(0)
    a, b = rng.integers(-128, 128, (3, 5, 20), np.int8), rng.integers(-128, 128, (3, 20, 33), np.int8)
    expected = product(a, b)
    for name in ("CHUNK_ELEMENTS", "CACHED_ELEMENTS"):
        monkeypatch.setattr(f"systolith.golden.{name}", 200)
    np.testing.assert_array_equal(product(a, b), expected)
    np.testing.assert_array_equal(product(a[0], b), oracle.gemm(a[0], b))


def test_product_threads(monkeypatch):
    """One thread up to the bound and as many as there were beyond it; afterwards all is as before."""
    seen = []

    def matmul(a, b):
        seen.append(threads())
        return right(a, b)

    def threads():
        return [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]

    right = np.matmul
    monkeypatch.setattr(np, "matmul", matmul)
    monkeypatch.setattr("systolith.golden.ONE_THREAD_MACS", 4 * 8 * 4)
    a = np.ones((4, 9), np.int8)
    with threadpool_limits(limits=2, user_api="blas"):
        before = threads()
        product(a[:, :8], a.T[:8])
        product(a, a.T)
        assert threads() == before == [2] * len(before)
    assert seen == [[1] * len(before), before]


@pytest.mark.parametrize(
    ("a", "b", "options", "error", "message"),
    [
        (np.ones((2, 3)), np.ones((3, 2), np.int8), {}, TypeError, "a must be int8, not float64"),
        (np.ones((2, 3), np.int8), np.ones((3, 2)), {}, TypeError, "b must be int8, not float64"),
        (
            np.ones((2, 3), np.int8),
            np.ones((4, 2), np.int8),
            {},
            ValueError,
            "a of shape (2, 3) has K 3, b has K 4",
        ),
        (
            np.ones((2, 3), np.int8),
            np.ones((3, 2), np.int8),
            {"b_layout": "x"},
            ValueError,
            "b_layout must be 'kn' or 'nk', not 'x'",
        ),
        (
            np.ones((1, K_MAX + 1), np.int8),
            np.ones((K_MAX + 1, 1), np.int8),
            {},
            ValueError,
            "K must be at most 131071, beyond which int32 could overflow, not 131072",
        ),
    ],
)
def test_product_wrong(a, b, options, error, message):
    with pytest.raises(error) as info:
        product(a, b, **options)
    assert str(info.value) == message


def test_gemm_wrong_out():
    a = np.ones((1, 1), np.int8)
    with pytest.raises(ValueError, match=r"^out must be 'int32' or 'int8', not 'int4'$"):
        gemm(a, a, out="int4")


@pytest.mark.parametrize("relu", [False, True])
def test_saturate(relu):
    low, high = -(2**31), 2**31 - 1
    acc = np.array([[low, low, -1, 0, 1, high, high]], np.int32)
    bias = np.array([-1, low, 0, 0, -2, 1, high], np.int32)
    expected = [low, low, -1, 0, -1, high, high]
    assert saturate(acc, bias, relu=relu).tolist() == [[max(x, 0) if relu else x for x in expected]]
    assert saturate(acc, relu=relu).tolist() == [[max(int(x), 0) if relu else int(x) for x in acc[0]]]


@pytest.mark.parametrize("relu", [False, True])
def test_requantize_corners(relu):
    """Every shift, with accumulators, biases and multipliers at and around their extremes."""
    accs = np.array([-(2**31), -(2**31) + 1, -129, -128, -3, -1, 0, 1, 2, 3, 127, 128, 2**31 - 1], np.int32)
    for bias in (-(2**31), -1, 0, 2**31 - 1):
        for multiplier in (0, 1, 2, 32767, 32768, 65535):
            shift = np.arange(64)
            acc = np.repeat(accs[:, None], 64, 1)
            actual = requantize(acc, np.full(64, bias, np.int32), np.full(64, multiplier), shift, relu=relu)
            for i, value in enumerate(accs.tolist()):
                for s in range(64):
                    rounding = 1 << s - 1 if s else 0
                    exact = ((value + bias) * multiplier + rounding) >> s
                    assert actual[i, s] == min(max(exact, 0 if relu else -128), 127)


def test_requantize_rounds_halves_up():
    acc = np.array([[-6, -5, -3, -2, -1, 1, 2, 3, 5, 6]], np.int32)
    assert requantize(acc, None, 1, 2).tolist() == [[-1, -1, -1, 0, 0, 0, 1, 1, 1, 2]]


def place(device, **changes):
    buffer = device.allocate(4096)
    fields = {
        "m": 2,
        "k": 3,
        "n": 4,
        "m_block": 2,
        "a_address": buffer.address,
        "b_address": buffer.address + 1024,
        "d_address": buffer.address + 2048,
        "parameter_address": 0,
        "a_stride": 64,
        "b_stride": 64,
        "d_stride": 64,
    }
    return Descriptor(**fields | changes)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"m": 0}, Reject.ZERO_SIZE),
        ({"batch": 0}, Reject.ZERO_SIZE),
        ({"k": K_MAX + 1}, Reject.OVERFLOW_POSSIBLE),
        ({"m_block": 257}, Reject.CAPACITY),
        ({"d_stride": 8}, Reject.ALIGNMENT),
        ({"output": Output.INT8}, Reject.PARAMETERS),
    ],
)
def test_rejected(golden, changes, reason):
    """A rejected descriptor writes nothing, and the next one runs."""
    before = golden.view(0, golden.memory_bytes).copy()
    bad = place(golden, **changes)
    golden.submit([bad, dataclasses.replace(place(golden), tag=7)])
    with pytest.raises(DescriptorRejected) as info:
        golden.wait()
    assert info.value.reason is reason
    assert [c.code for c in info.value.completions] == [Code.REJECTED, Code.OK]
    assert [c.tag for c in info.value.completions] == [0, 7]
    np.testing.assert_array_equal(golden.memory, before)


@pytest.mark.parametrize(
    ("changes", "access", "address"),
    [
        ({"a_address": 1 << 22}, "read", 1 << 22),
        ({"b_address": (1 << 22) - 64}, "read", 1 << 22),
        ({"parameters": True, "parameter_address": 1 << 23}, "read", 1 << 23),
        ({"d_address": (1 << 22) - 64}, "write", 1 << 22),
        ({"batch": 2, "d_batch_stride": 1 << 24}, "write", 1 << 22),
    ],
)
def test_outside_memory(golden, changes, access, address):
    before = golden.memory.copy()
    golden.submit([place(golden, **changes)])
    with pytest.raises(BusError, match=f"the {access} at address {address:#010x} failed") as info:
        golden.wait()
    assert info.value.address == address
    np.testing.assert_array_equal(golden.memory, before)


def test_below_memory():
    with open_device("golden", memory_base=1 << 20, memory_bytes=1 << 20) as device:
        device.submit([place(device, a_address=0)])
        with pytest.raises(BusError, match="the read at address 0x00000000 failed"):
            device.wait()


def test_completions_have_no_counters(golden):
    golden.submit([place(golden)])
    assert golden.wait()[0].counters is None


def test_reset(golden):
    golden.submit([place(golden)])
    golden.reset()
    assert golden.wait() == []


@pytest.mark.parametrize(
    ("memory", "message"),
    [
        (np.zeros(4096, np.uint8), r"memory must be an array of \(8192,\) uint8, not \(4096,\) uint8"),
        (np.zeros(8192, np.int8), r"memory must be an array of \(8192,\) uint8, not \(8192,\) int8"),
        (bytearray(3), r"memory must be an array of \(8192,\) uint8, not bytearray\(.*\)"),
        (np.zeros(16384, np.uint8)[::2], "memory must be contiguous and writable"),
        (np.frombuffer(bytes(8192), np.uint8), "memory must be contiguous and writable"),
    ],
)
def test_init_wrong_given_memory(memory, message):
    with pytest.raises(TypeError, match=f"^{message}$"):
        open_device("golden", memory_bytes=8192, memory=memory)


def test_init_wrong_memory():
    with pytest.raises(ValueError, match=r"^memory must lie within 32 address bits, not from 0x80000000 to"):
        open_device("golden", ArrayConfig(), memory_base=1 << 31, memory_bytes=(1 << 31) + 4096)
