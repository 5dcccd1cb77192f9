"""Which scale a layer's activations are quantized with: each token's own, or one known beforehand."""

import dataclasses
import math
from collections.abc import Mapping

import torch

from .quantize import QUANTIZED_MAX, SMALLEST_SCALE, Quantized, check_float32, quantize

__all__ = ["PER_TOKEN", "Scheme", "quantize_within"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Scheme:
    """How activations are quantized, layer by layer.

    Weights have a scale per output channel in any case, and operands of attention products one per token.

    Parameters
    ----------
    limits : mapping of str to float
        Largest magnitude of the rotated activations that a layer can represent, by the layer's label in the
        records; larger ones are clamped. A layer that is not named gets a scale for every token as it comes.

    Raises
    ------
    ValueError
        If a limit is not a positive number.
    """

    limits: Mapping[str, float] = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        for label, limit in self.limits.items():
            if not SMALLEST_SCALE * QUANTIZED_MAX <= limit < math.inf:
                raise ValueError(f"the limit of {label} must be a positive number, not {limit}")

    def quantize(self, x, *, label, what):
        """Quantize the activations of a layer.

        Parameters
        ----------
        x : Tensor
            (…, M, K) float32, rotated.
        label : str
            The layer's.
        what : str
            What they are, for error messages.

        Returns
        -------
        Quantized

        Raises
        ------
        TypeError, ValueError
            If ``x`` is not float32 on the CPU, or holds NaN or infinity.
        """
        limit = self.limits.get(label)
        if limit is None:
            return quantize(x, dim=-1, what=what)
        return quantize_within(x, limit, what=what)


PER_TOKEN = Scheme()
"""A scale for every token of every layer, as it comes."""


def quantize_within(tensor, limit, *, what):
    """Quantize symmetrically with the scale ``limit / 127``, larger magnitudes clamped.

    Parameters
    ----------
    tensor : Tensor
        Any shape with at least one element, float32.
    limit : float
    what : str
        What the tensor is, for error messages.

    Returns
    -------
    Quantized

    Raises
    ------
    TypeError, ValueError
        If ``tensor`` is not float32 on the CPU, or holds NaN or infinity.
    """
    check_float32(tensor, what)
    if not math.isfinite(tensor.abs().amax().item()):
        raise ValueError(f"{what} holds NaN or infinity and cannot be quantized")
    scale = torch.full((1,) * tensor.dim(), limit / QUANTIZED_MAX, dtype=torch.float32)
    return Quantized((tensor / scale).round_().clamp_(-QUANTIZED_MAX, QUANTIZED_MAX), scale)
