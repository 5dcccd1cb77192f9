"""The epilogue parameters of a product: bias, multiplier and shift of every output channel."""

import numpy as np
from systolith_hw import Output

from .golden import PARAMETER_DTYPE

__all__ = ["pack_parameters", "product_parameters"]


def pack_parameters(n, *, bias=None, multiplier=None, shift=None):
    """Epilogue parameters as the device reads them.

    Parameters
    ----------
    n : int
        Output channels.
    bias : int32 or ``(n,)`` of integers, or None
    multiplier : uint16 or ``(n,)`` of integers, or None
    shift : int from 0 to 63 or ``(n,)`` of integers, or None

    Returns
    -------
    ``(n,)`` array of :data:`PARAMETER_DTYPE`

    Raises
    ------
    TypeError
        If one is not of integers.
    ValueError
        If one has another shape or a value out of range, or of multiplier and shift one is missing.
    """
    if (multiplier is None) != (shift is None):
        missing = "multiplier" if multiplier is None else "shift"
        raise ValueError(f"multiplier and shift must be given together, {missing} is missing")
    parameters = np.zeros(n, PARAMETER_DTYPE)
    for name, values, low, high in (
        ("bias", bias, -(1 << 31), (1 << 31) - 1),
        ("multiplier", multiplier, 0, (1 << 16) - 1),
        ("shift", shift, 0, 63),
    ):
        if values is None:
            continue
        values = np.asarray(values)
        if values.dtype.kind not in "iu":
            raise TypeError(f"{name} must be of integers, not {values.dtype}")
        if values.shape not in ((), (n,)):
            raise ValueError(f"{name} must have shape ({n},), not {values.shape}")
        if values.min() < low or values.max() > high:
            least, most = values.min(), values.max()
            came = least if least == most else f"{least} to {most}"
            raise ValueError(f"{name} must be from {low} to {high}, not {came}")
        parameters[name] = values
    return parameters


def product_parameters(n, weight, *, bias, multiplier, shift, output):
    """The epilogue parameters of a product: the packed weight's own or those that are given, or None.

    Parameters
    ----------
    n : int
    weight : PackedWeight or None
    bias, multiplier, shift
        See :func:`pack_parameters`.
    output : Output

    Raises
    ------
    TypeError, ValueError
        If they are wrong, do not go with the output, or the weight has others.
    """
    given = not (bias is None and multiplier is None and shift is None)
    if weight is not None and weight.parameters is not None:
        if given:
            raise ValueError("the packed weight has bias, multiplier and shift of its own")
        has_multiplier, parameters = weight.has_multiplier, weight.parameters
    elif given:
        if multiplier is not None and output is Output.INT32:
            raise ValueError("multiplier and shift need out='int8'")
        has_multiplier = multiplier is not None
        parameters = pack_parameters(n, bias=bias, multiplier=multiplier, shift=shift)
    else:
        has_multiplier, parameters = False, None
    if output is Output.INT8 and not has_multiplier:
        raise ValueError("out='int8' needs multiplier and shift")
    return parameters
