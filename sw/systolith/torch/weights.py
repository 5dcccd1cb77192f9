"""Weights as they live in device memory."""

import contextlib

import torch

from systolith.errors import OutOfDeviceMemory
from systolith.memory import round_up
from systolith.operands import PackedWeight

from .prequantized import int8_weight, stored
from .quantize import check_float32, quantize
from .rotation import rotate_activations, rotate_weight

__all__ = ["ResidentWeight", "packed_bytes"]

ACTIVATION_SHARE = 4
"""The part of a device's memory that weights leave free."""


def packed_bytes(shape, device):
    """Device memory that a weight takes: its rows padded to the bus.

    Parameters
    ----------
    shape : tuple of int
        (N, K).
    device : Device

    Returns
    -------
    int
    """
    n, k = shape
    return round_up(n * round_up(k, device.config.bus_bytes), device.alignment_bytes)


class ResidentWeight:
    """A weight, quantized per output channel and resident in device memory for as long as this object lives.

    One that does not fit the device's memory, or would leave too little of it, stays on the host and is
    copied to the device with each product.

    It is rotated along K first, see :mod:`.rotation`, unless torchao has quantized it already.

    Parameters
    ----------
    parameter : Parameter
        (N, K) float32, or (K, N) if ``transposed``; held, so that no other object can have its ``id``.
    rows : tuple of int or None
        Range of output channels. ``None``: all.
    transposed : bool
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

    def __init__(self, parameter, *, rows=None, transposed=False, device, keep_values, what):
        self.parameter = parameter
        self._rows = rows
        self._transposed = transposed
        self._device = device
        self._keep_values = keep_values
        self._state = None
        self.refresh(what)

    def refresh(self, what):
        """Pack the weight again, in the place that it had, if it has changed as far as torch tells.

        Parameters
        ----------
        what : str
            Its name, for error messages.

        Raises
        ------
        TypeError, ValueError
            If it is not float32 on the CPU, or holds NaN or infinity.
        """
        # load_state_dict and optimizers raise the version; .to() and assignments to .data move the storage;
        # what is written through .data, .detach() or NumPy shows nowhere
        held = stored(self.parameter)
        state = held._version, held.data_ptr(), held.shape, held.stride(), self.parameter.dtype
        if state == self._state:
            return
        weight = self._weight(held)
        check_float32(weight, what)
        given = int8_weight(weight, what)
        if given is None:
            with torch.autocast("cpu", enabled=False):
                values, scale = quantize(rotate_weight(weight), dim=-1, what=what)
        else:
            values, scale, _ = given
        values = values.to(torch.int8).numpy()
        self.forget()
        self.packed = None
        self.packed = _place(values, self._device)
        self.values = values if self._keep_values else None
        self.scale = scale.flatten()
        self._given = given
        # while it is held, no other storage can have its address
        self._storage = held.untyped_storage()
        self._state = state

    def forget(self):
        """Have it packed again with the next :meth:`refresh`, whether it has changed or not."""
        self._state = None

    def _weight(self, held):
        """(N, K)."""
        # of torchao's tensors, no view can be had under torch.inference_mode()
        weight = self.parameter.detach() if held is self.parameter else self.parameter
        if self._transposed:
            weight = weight.t()
        return weight if self._rows is None else weight[slice(*self._rows)]

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
    if packed_bytes(values.shape, device) <= device.free_bytes - device.memory_bytes // ACTIVATION_SHARE:
        with contextlib.suppress(OutOfDeviceMemory):
            return PackedWeight(values, device=device, b_layout="nk")
    return values
