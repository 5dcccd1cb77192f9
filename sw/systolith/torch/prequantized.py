"""Weights that torchao has quantized before they come here."""

import sys
from typing import NamedTuple

import torch

__all__ = ["Int8Weight", "int8_weight", "stored"]


class Int8Weight(NamedTuple):
    """A weight as torchao quantized it, which stands for ``values · scale``.

    Members
    -------
    values : Tensor
        (N, K) int8; torchao's scale is ``max|w| / 127.5``, so that −128 occurs.
    scale : Tensor
        (N,) float32.
    factors : Tensor or None
        (K,) float32, by which activations are to be multiplied.
    """

    values: torch.Tensor
    scale: torch.Tensor
    factors: torch.Tensor | None


def _is_torchao(parameter):
    utils = sys.modules.get("torchao.utils")
    return utils is not None and isinstance(parameter, utils.TorchAOBaseTensor)


def stored(parameter):
    """The tensor that holds a parameter's elements: its own, or the integers of a quantized one."""
    return getattr(parameter, "qdata", parameter) if _is_torchao(parameter) else parameter


def int8_weight(parameter, what):
    """What a parameter holds, if torchao quantized it.

    Activations are quantized per token when they come, whatever torchao would do with them.

    Parameters
    ----------
    parameter : Tensor
        (N, K).
    what : str
        Its name, for error messages.

    Returns
    -------
    Int8Weight or None
        None: it is not torchao's.

    Raises
    ------
    TypeError
        If it is not of int8.
    ValueError
        If it has several scales along K, a zero point, or a scale that is NaN or infinite.
    """
    if not _is_torchao(parameter):
        return None
    values, scale = getattr(parameter, "qdata", None), getattr(parameter, "scale", None)
    advice = "quantize with Int8WeightOnlyConfig() or Int8DynamicActivationInt8WeightConfig(), or not before"
    if (
        not isinstance(values, torch.Tensor)
        or values.dtype is not torch.int8
        or values.shape != parameter.shape
    ):
        raise TypeError(f"{what} is quantized as torchao's {type(parameter).__name__}, not to int8: {advice}")
    if scale.numel() not in (1, values.shape[0]) or scale.shape[0] not in (1, values.shape[0]):
        raise ValueError(
            f"{what} is quantized in blocks of {tuple(parameter.block_size)}, not by output channel: {advice}"
        )
    zero_point = getattr(parameter, "zero_point", None)
    if zero_point is not None and zero_point.count_nonzero():
        raise ValueError(f"{what} is quantized asymmetrically, with a zero point: {advice}")
    scale = scale.detach().float().flatten().expand(values.shape[0])
    if not scale.isfinite().all():
        raise ValueError(f"{what} holds a scale that is NaN or infinity")
    factors = getattr(parameter, "act_pre_scale", None)
    return Int8Weight(values, scale, None if factors is None else factors.detach().float().flatten())
