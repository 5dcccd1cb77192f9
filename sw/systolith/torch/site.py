"""What the modules of an offloaded model have in common."""

import functools

import torch
from torch import nn

from .quantize import check_float32, quantize

__all__ = ["Site", "inference_only", "opaque"]


def opaque(function):
    """Decorates what a device computes: Dynamo does not look into it, and ``torch.autocast`` is off in it.

    Positional arguments that are half precision for autocast become float32.
    """

    @functools.wraps(function)
    def call(*args, **kwargs):
        if not torch.is_autocast_enabled("cpu"):
            return function(*args, **kwargs)
        half = torch.get_autocast_dtype("cpu")
        args = [argument.float() if _is_computed(argument, half) else argument for argument in args]
        with torch.autocast("cpu", enabled=False):
            return function(*args, **kwargs)

    return torch.compiler.disable(call, reason="a systolith device computes it")


def _is_computed(argument, dtype):
    is_tensor = isinstance(argument, torch.Tensor) and not isinstance(argument, nn.Parameter)
    return is_tensor and argument.dtype is dtype


class _InferenceOnly(torch.autograd.Function):
    """Runs a function without recording it, and refuses to go backwards through it."""

    @staticmethod
    def forward(ctx, function, *tensors):  # noqa: ARG004
        return function()

    @staticmethod
    def backward(ctx, *gradients):  # noqa: ARG004
        raise RuntimeError(
            "what a systolith device computed has no gradient: offloaded models are for inference"
        )


def inference_only(function, *tensors):
    """Call ``function()``; a backward pass from its result to ``tensors`` raises RuntimeError."""
    if torch.is_grad_enabled() and any(tensor is not None and tensor.requires_grad for tensor in tensors):
        return _InferenceOnly.apply(function, *tensors)
    return function()


class Site:
    """What one module of an offloaded model needs to reach the device.

    A copy of the model (:func:`copy.deepcopy`) uses the same device; its weights are packed when they are
    first used.

    Parameters
    ----------
    engine : Engine
    label : str
        The module's name in its model.
    """

    def __init__(self, engine, label):
        self.engine = engine
        self.label = label
        self._held = {}
        self._parts = {}
        self._input = f"the input of {label}"
        self._weight = f"the weight of {label}"

    def __deepcopy__(self, memo):
        return Site(self.engine, self.label)

    def __reduce__(self):
        raise TypeError(
            "an offloaded model holds an open device and cannot be pickled: save its state_dict()"
        )

    def part(self, name):
        """The site of a part of this module: one, however often it is asked for."""
        if name not in self._parts:
            self._parts[name] = Site(self.engine, f"{self.label}.{name}")
        return self._parts[name]

    def hold(self, weight, *, rows=None, transposed=False, part=None):
        """The resident weight of a parameter of this module, held for ``part``.

        See :meth:`Engine.resident`.
        """
        held = self._held.get(part)
        if held is not None and held.parameter is not weight:
            # so that the new one can have its place
            del self._held[part], held
        resident = self.engine.resident(weight, what=self._weight, rows=rows, transposed=transposed)
        self._held[part] = resident
        return resident

    @property
    def weights(self):
        """The resident weights that this module holds."""
        return tuple(self._held.values())

    @property
    def where(self):
        """Where the weights of this module are kept, for a report."""
        return next((resident.where for resident in self._held.values()), "weight packed when first used")

    def forget(self):
        """Have all weights of this module packed anew when they are next used."""
        for resident in self._held.values():
            resident.forget()
        self._held.clear()
        for part in self._parts.values():
            part.forget()

    @opaque
    def linear(self, x, weight, bias, *, rows=None, transposed=False, part=None):
        """``x · weightᵀ + bias``, int8: weights per output channel, activations as the engine's scheme says.

        Both are rotated along K before they are quantized, see :mod:`.rotation`, unless torchao has quantized
        the weight already.

        Parameters
        ----------
        x : Tensor
            (…, K) float32.
        weight : Parameter
            (N, K) float32, or (K, N) if ``transposed``.
        bias : Tensor or None
            (N,) float32.
        rows : tuple of int or None
            Range of output channels to compute, of which ``bias`` is the bias. ``None``: all.
        transposed : bool
        part : str or None
            Which of the module's products, if it has several; added to the label in the records.

        Returns
        -------
        Tensor
            (…, N) float32.

        Raises
        ------
        TypeError, ValueError
            If the activations have another dtype or size, or hold NaN or infinity.
        """
        return inference_only(lambda: self._linear(x, weight, bias, rows, transposed, part), x, weight, bias)

    def _linear(self, x, weight, bias, rows, transposed, part):
        k = weight.shape[0 if transposed else 1]
        if x.shape[-1] != k:
            raise ValueError(f"{self._input} must have {k} features, not {x.shape[-1]}")
        resident = self.hold(weight, rows=rows, transposed=transposed, part=part)
        if x.numel() == 0:
            return x.new_empty(*x.shape[:-1], resident.scale.shape[0])
        check_float32(x, self._input)
        tokens = x if x.dim() > 1 else x.unsqueeze(0)
        label = self.label if part is None else f"{self.label}.{part}"
        quantized = self.engine.scheme.quantize(resident.prepare(tokens), label=label, what=self._input)
        result = self.engine.linear(quantized, resident, bias, label=label)
        return result if x.dim() > 1 else result.squeeze(0)

    @opaque
    def product(self, a, b, *, b_layout):
        """``A · B`` of tensors that are both computed, each quantized along K as it comes.

        Parameters
        ----------
        a : Tensor
            (…, M, K) float32.
        b : Tensor
            (…, N, K) float32 with ``b_layout="nk"`` or (…, K, N) with ``"kn"``. Batch dimensions broadcast.
        b_layout : str

        Returns
        -------
        Tensor
            (…, M, N) float32.

        Raises
        ------
        TypeError, ValueError
            If an operand has another dtype or size, or holds NaN or infinity.
        """
        return inference_only(lambda: self._product(a, b, b_layout), a, b)

    def _product(self, a, b, b_layout):
        return self.engine.product(
            quantize(a, dim=-1, what=f"the first operand of {self.label}"),
            quantize(b, dim=-1 if b_layout == "nk" else -2, what=f"the second operand of {self.label}"),
            b_layout=b_layout,
            label=self.label,
        )
