"""Symmetric int8 quantization in NumPy."""

import math

import numpy as np

__all__ = ["MULTIPLIER_ERROR", "dequantize", "quantize", "requantization"]

LEVELS = 127
"""Largest magnitude of a quantized element; −128 is not used."""

MULTIPLIER_ERROR = 2.0**-16
"""Largest relative error of a scale expressed as multiplier and shift."""


def quantize(x, *, axis=-1, out=None):
    """Quantize along an axis: one scale for everything that lies along it.

    ``axis=-1`` is per token for activations ``(…, tokens, features)`` and per output channel for weights
    ``(N, K)``; weights ``(K, N)`` take ``axis=-2``. The scale is ``max(abs(x)) / 127`` and an element is
    ``x / scale`` rounded to the nearest integer, halves to even. Where the scale is below the smallest normal
    number (all elements are zero, or below 1.5e-36), elements are 0 and the scale is 1.

    Parameters
    ----------
    x : ``(…,) float32`` or ``float64`` array
    axis : int
    out : int8 array of the shape of ``x``, or None
        Where to put the elements, for example :attr:`Operand.array`.

    Returns
    -------
    elements : int8 array of the shape of ``x``
        From −127 to 127.
    scale : array of the dtype of ``x``
        Its shape is that of ``x`` with size 1 along ``axis``.

    Raises
    ------
    TypeError
        If ``x`` is not a floating-point array.
    ValueError
        If an element is NaN or infinite.
    """
    if not isinstance(x, np.ndarray) or x.dtype not in (np.float32, np.float64):
        came = x.dtype if isinstance(x, np.ndarray) else type(x).__name__
        raise TypeError(f"x must be an array of float32 or float64, not {came}")
    bound = np.maximum(x.max(axis, keepdims=True), -x.min(axis, keepdims=True))
    if not np.isfinite(bound).all():
        index = np.unravel_index(np.argmin(np.isfinite(x)), x.shape)
        raise ValueError(f"x must be finite, but is {x[index]} at index {tuple(map(int, index))}")
    scale = bound / x.dtype.type(LEVELS)
    normal = scale >= np.finfo(x.dtype).smallest_normal
    if normal.all():
        scaled = x / scale
    else:
        scale = np.where(normal, scale, x.dtype.type(1))
        scaled = np.where(normal, x, x.dtype.type(0)) / scale
    np.rint(scaled, out=scaled)
    if out is None:
        return scaled.astype(np.int8), scale
    out[...] = scaled
    return out, scale


def dequantize(acc, a_scale, b_scale, bias=None):
    """``acc * a_scale * b_scale + bias``.

    Parameters
    ----------
    acc : ``(…, M, N) int32``
    a_scale : ``(…, M, 1)`` or scalar, float
    b_scale : ``(N,)``, ``(…, 1, N)`` or scalar, float
    bias : ``(N,)`` float, or None

    Returns
    -------
    ``(…, M, N)`` float32 array, or float64 where a scale is
    """
    dtype = np.result_type(np.float32, a_scale, b_scale)
    result = np.multiply(acc, a_scale, dtype=dtype)
    result *= b_scale
    if bias is not None:
        result += bias
    return result


def requantization(scale):
    """Express factors as ``multiplier * 2**-shift``, for the accelerator's int8 output.

    The relative error is at most :data:`MULTIPLIER_ERROR`. Factors below ``2**-48`` become multiplier 0:
    no 33-bit sum times such a factor rounds to anything but 0.

    Parameters
    ----------
    scale : float or array of floats
        From 0 to less than 65535.5.

    Returns
    -------
    multiplier : uint16 array of the shape of ``scale``
    shift : uint8 array of the shape of ``scale``
        From 0 to 63.

    Raises
    ------
    ValueError
        If a factor is negative, NaN or too large.
    """
    scale = np.asarray(scale, np.float64)
    if not ((scale >= 0) & (scale < 65535.5)).all():
        wrong = scale[~((scale >= 0) & (scale < 65535.5))].flat[0]
        raise ValueError(f"scale must be from 0 to less than 65535.5, not {wrong}")
    fraction, exponent = np.frexp(scale)
    multiplier = np.rint(np.ldexp(fraction, 16)).astype(np.int64)
    shift = 16 - exponent.astype(np.int64)
    overflow = multiplier == 1 << 16
    multiplier = np.where(overflow, 1 << 15, multiplier)
    shift = np.where(overflow, shift - 1, shift)
    tiny = scale < math.ldexp(1, -48)
    return (
        np.where(tiny, 0, multiplier).astype(np.uint16),
        np.where(tiny, 0, shift).astype(np.uint8),
    )
