"""Weights as they live in device memory."""

import contextlib

import torch

from systolith.errors import OutOfDeviceMemory
from systolith.operands import PackedWeight

from .prequantized import int8_weight
from .quantize import check_float32, quantize
from .rotation import rotate_activations, rotate_weight

__all__ = ["ResidentWeight"]

ACTIVATION_SHARE = 4
"""The part of a device's memory that weights leave free."""


class ResidentWeight:
    """A weight, quantized per output channel and resident in device memory for as long as this object lives.

    One that does not fit the device's memory, or would leave too little of it, stays on the host and is
    copied to the device with each product.

    It is rotated along K first, see :mod:`.rotation`, unless torchao has quantized it already.

    Parameters
    ----------
    parameter : Parameter
        Of which ``weight`` is a view; held, so that no other object can have its ``id``.
    weight : Tensor
        (N, K) float32.
    device : Device
    keep_values : bool
        Whether to keep the int8 elements on the host too, for a verifier.
    what : str
        Its name, for error messages.

    Members
    -------
    packed : PackedWeight or ndarray
        (N, K) int8, to be multiplied with activations that went through :meth:`prepare`.
    values : ndarray or None
        The same on the host.
    scale : Tensor
        (N,) float32.
    """

    def __init__(self, parameter, weight, *, device, keep_values, what):
        check_float32(weight, what)
        self.parameter = parameter
        self._given = int8_weight(weight, what)
        if self._given is None:
            values, scale = quantize(rotate_weight(weight), dim=-1, what=what)
        else:
            values, scale, _ = self._given
        values = values.to(torch.int8).numpy()
        self.packed = _place(values, device)
        self.values = values if keep_values else None
        self.scale = scale.flatten()

    @property
    def where(self):
        """Where it is kept, for a report."""
        if isinstance(self.packed, PackedWeight):
            return "weight packed once"
        return "weight copied with every call: too little device memory"

    def prepare(self, x):
        """Activations as this weight wants them before they are quantized: (…, K) float32, as ``x``."""
        if self._given is None:
            return rotate_activations(x)
        return x if self._given.factors is None else x * self._given.factors


def _place(values, device):
    """Int8 elements as what a product takes: resident if there is room for them."""
    if values.nbytes <= device.free_bytes - device.memory_bytes // ACTIVATION_SHARE:
        with contextlib.suppress(OutOfDeviceMemory):
            return PackedWeight(values, device=device, b_layout="nk")
    return values
