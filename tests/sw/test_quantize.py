"""Symmetric int8 quantization."""

import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sw.cases import check_property
from systolith.quantize import MULTIPLIER_ERROR, dequantize, quantize, requantization


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_quantize(dtype):
    x = np.array([[1.0, -2.0, 0.5], [0.0, 0.0, 0.0], [-254.0, 3.0, 1.0]], dtype)
    elements, scale = quantize(x)
    assert elements.dtype == np.int8
    assert scale.dtype == dtype
    np.testing.assert_array_equal(
        elements, [[64, -127, 32], [0, 0, 0], [-127, 2, 0]]
    )  # 63.5, 1.5 and 0.5 to even
    np.testing.assert_allclose(scale, [[2 / 127], [1], [2]], rtol=1e-6)


def test_quantize_axis_and_out():
    x = np.random.default_rng(0).normal(size=(2, 5, 3)).astype(np.float32)
    out = np.empty((2, 5, 6), np.int8)[..., ::2]
    elements, scale = quantize(x, axis=-2, out=out)
    assert elements is out
    assert scale.shape == (2, 1, 3)
    transposed, other = quantize(x.swapaxes(-1, -2))
    np.testing.assert_array_equal(transposed.swapaxes(-1, -2), out)
    np.testing.assert_array_equal(other.swapaxes(-1, -2), scale)


def check_error(x):
    elements, scale = quantize(x)
    assert (np.abs(elements.astype(int)) <= 127).all()
    assert np.isfinite(scale).all()
    assert (scale > 0).all()
    error = np.abs(elements * scale.astype(np.float64) - x)
    assert (error <= 0.5000001 * scale.astype(np.float64) + 1.5e-36 * (scale == 1)).all()


def test_quantize_error():
    """At most half a step off, for all magnitudes, subnormal ones included."""
    values = st.floats(-(2.0**127), 2.0**127, width=32)
    shapes = hnp.array_shapes(min_dims=1, max_dims=3, max_side=6)
    check_property(check_error, hnp.arrays(np.float32, shapes, elements=values), examples=200)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_quantize_wrong_value(value):
    x = np.zeros((2, 3, 4), np.float32)
    x[1, 2, 0] = value
    with pytest.raises(ValueError, match=rf"^x must be finite, but is {value} at index \(1, 2, 0\)$"):
        quantize(x)


@pytest.mark.parametrize(
    ("x", "came"),
    [(np.zeros((1, 1), np.int8), "int8"), ([1.0], "list"), (np.zeros(1, np.float16), "float16")],
)
def test_quantize_wrong_type(x, came):
    with pytest.raises(TypeError, match=f"^x must be an array of float32 or float64, not {came}$"):
        quantize(x)


def test_dequantize():
    acc = np.array([[100, -200], [3, 4]], np.int32)
    result = dequantize(
        acc, np.array([[0.5], [2]], np.float32), np.array([1, 10], np.float32), np.array([1, 2], np.float32)
    )
    assert result.dtype == np.float32
    assert result.tolist() == [[51, -998], [7, 82]]


def test_round_trip():
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(8, 256)).astype(np.float32), rng.normal(size=(32, 256)).astype(np.float32)
    (qx, sx), (qw, sw) = quantize(x), quantize(w)
    y = dequantize(qx.astype(np.int32) @ qw.T.astype(np.int32), sx, sw[:, 0])
    assert np.abs(y - x @ w.T).max() < 0.02 * np.abs(x @ w.T).max()


def check_requantization(scale):
    multiplier, shift = requantization(np.array([scale]))
    assert multiplier.dtype == np.uint16
    assert shift.dtype == np.uint8
    assert shift <= 63
    value = int(multiplier[0]) / 2.0 ** int(shift[0])
    if scale < 2.0**-48:
        assert value == 0
    else:
        assert abs(value - scale) <= MULTIPLIER_ERROR * scale


def test_requantization():
    mantissas = st.floats(1, 2)
    scales = st.one_of(
        st.floats(0, 65535.4),
        st.builds(lambda mantissa, exponent: mantissa * 2.0**-exponent, mantissas, st.integers(-14, 60)),
    )
    check_property(check_requantization, scales, examples=400)


def test_requantization_of_small_scales():
    """Below 2**-48 nothing but 0 can come out, so multiplier 0 is exact."""
    assert (2**32) * 2.0**-48 < 0.5
    assert requantization(2.0**-48)[0] > 0
    assert requantization(np.nextafter(2.0**-48, 0))[0] == 0


def test_requantization_of_exact_scales():
    for scale in (1.0, 0.5, 65535.0, 65535.4, 1 - 2.0**-40, 32767.75):
        check_requantization(scale)


@pytest.mark.parametrize("scale", [-1e-9, np.nan, np.inf, 65535.5])
def test_requantization_wrong(scale):
    with pytest.raises(ValueError, match=rf"^scale must be from 0 to less than 65535.5, not {scale}$"):
        requantization([0.5, scale])
