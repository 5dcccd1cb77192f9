"""Symmetric int8 quantization of torch tensors, in few operations per call."""

import math
from typing import NamedTuple

import torch

__all__ = ["Quantized", "check_float32", "quantize"]

QUANTIZED_MAX = 127
"""Largest magnitude that symmetric quantization emits; −128 is never used."""

SMALLEST_SCALE = torch.finfo(torch.float32).smallest_normal
"""Vectors whose scale would be smaller are taken for zeros."""


class Quantized(NamedTuple):
    """A quantized tensor, which stands for ``values · scale``.

    Members
    -------
    values : Tensor
        Whole numbers from −127 to 127, still float32: they become int8 as they enter device memory.
    scale : Tensor
        float32, of size 1 along the quantized dimension.
    """

    values: torch.Tensor
    scale: torch.Tensor


def check_float32(tensor, what):
    """Check that a tensor can be quantized here.

    Raises
    ------
    TypeError
        If ``tensor`` is not float32.
    ValueError
        If it does not lie in the memory of the CPU.
    """
    if tensor.dtype is not torch.float32:
        raise TypeError(f"{what} must be torch.float32, not {tensor.dtype}: convert the model with .float()")
    if tensor.device.type != "cpu":
        raise ValueError(f"{what} must be on the CPU, not on {tensor.device}: move the model with .cpu()")


def quantize(tensor, *, dim, what):
    """Quantize symmetrically, with one scale per vector along a dimension.

    The same numbers as :func:`systolith.quantize.quantize`: ``scale = max|x| / 127`` and
    ``values = round(x / scale)``, halves to even, in float32. Where the scale is below the smallest normal
    number, the values are 0 and the scale is 1.

    Parameters
    ----------
    tensor : Tensor
        Any shape with at least one element, float32.
    dim : int
        The summed dimension, along which a scale is shared: −1 for activations by token and for
        weights by output channel.
    what : str
        What the tensor is, for error messages.

    Returns
    -------
    Quantized
        ``values`` of the shape of ``tensor``.

    Raises
    ------
    TypeError, ValueError
        If ``tensor`` is not float32 on the CPU, or holds NaN or infinity.
    """
    check_float32(tensor, what)
    scale = tensor.abs().amax(dim, keepdim=True).div_(QUANTIZED_MAX)
    if not math.isfinite(scale.amax().item()):
        raise ValueError(f"{what} holds NaN or infinity and cannot be quantized")
    scale.masked_fill_(scale < SMALLEST_SCALE, 1.0)
    return Quantized((tensor / scale).round_(), scale)
