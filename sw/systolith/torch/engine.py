"""The one place where torch tensors meet the device: resident weights and matrix products."""

import weakref

import torch

from systolith.operands import PackedWeight

from .quantize import quantize

__all__ = ["Engine", "ResidentWeight", "Site"]


class ResidentWeight:
    """A weight, quantized per output channel and resident in device memory for as long as this object lives.

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
    packed : PackedWeight
        (N, K) int8.
    values : ndarray or None
        The same on the host.
    scale : Tensor
        (N,) float32.
    """

    def __init__(self, parameter, weight, *, device, keep_values, what):
        self.parameter = parameter
        quantized = quantize(weight, dim=-1, what=what)
        values = quantized.values.to(torch.int8).numpy()
        self.packed = PackedWeight(values, device=device, b_layout="nk")
        self.values = values if keep_values else None
        self.scale = quantized.scale.flatten()


class Engine:
    """A device and the weights that live on it.

    Parameters
    ----------
    device : Device
        Open, and kept open by whoever opened it.
    verifier : Verifier or None
        Compares every product with the golden arithmetic.
    """

    def __init__(self, device, verifier=None):
        self.device = device
        self.verifier = verifier
        self._resident = weakref.WeakValueDictionary()

    def resident(self, parameter, *, what, rows=None, transposed=False):
        """The resident weight of a parameter: one, however many modules share the parameter.

        Parameters
        ----------
        parameter : Parameter
            (N, K) float32, or (K, N) if ``transposed``.
        what : str
            Its name, for error messages.
        rows : tuple of int or None
            Range of output channels. ``None``: all.
        transposed : bool

        Returns
        -------
        ResidentWeight
            A new one if the parameter has changed, or nobody holds the one there was.

        Raises
        ------
        TypeError, ValueError
            If the weight is not float32 on the CPU, holds NaN or infinity, or was made under
            ``torch.inference_mode()``.
        OutOfDeviceMemory
            If it does not fit.
        """
        if parameter.is_inference():
            raise ValueError(f"{what} was made under torch.inference_mode(), which hides its changes")
        # load_state_dict and optimizers raise the version; .to() and assignments to .data move the storage
        key = (id(parameter), parameter._version, parameter.data_ptr(), parameter.dtype, rows, transposed)
        resident = self._resident.get(key)
        if resident is None:
            weight = parameter.detach()
            if transposed:
                weight = weight.t()
            if rows is not None:
                weight = weight[slice(*rows)]
            resident = ResidentWeight(
                parameter, weight, device=self.device, keep_values=self.verifier is not None, what=what
            )
            self._resident[key] = resident
        return resident

    def linear(self, a, weight, bias, *, label):
        """``A · Bᵀ + bias`` with the integer product computed by the device.

        Parameters
        ----------
        a : Quantized
            (…, M, K), one scale per row.
        weight : ResidentWeight
            (N, K).
        bias : Tensor or None
            (N,) float32.
        label : str
            Names the product in the records.

        Returns
        -------
        Tensor
            (…, M, N) float32; scales and bias are applied in float32.
        """
        queue = self.device.queue()
        operand = _stage(queue, a.values)
        pending = queue.matmul(operand, weight.packed, label=label)
        queue.run()
        accumulators = pending.view()
        if self.verifier is not None:
            self.verifier.check(label, operand.array, weight.values, "nk", accumulators)
        scaled = torch.from_numpy(accumulators) * a.scale
        if bias is None:
            return scaled.mul_(weight.scale)
        return torch.addcmul(bias, scaled, weight.scale)

    def product(self, a, b, *, b_layout, label):
        """``A · B`` with the integer product of the whole batch computed by the device at once.

        Parameters
        ----------
        a : Quantized
            (…, M, K), one scale per row.
        b : Quantized
            (…, N, K) with ``b_layout="nk"`` or (…, K, N) with ``"kn"``, one scale per column of the result.
            Batch dimensions broadcast.
        b_layout : str
        label : str
            Names the product in the records.

        Returns
        -------
        Tensor
            (…, M, N) float32; scales are applied in float32.
        """
        queue = self.device.queue()
        a_operand, b_operand = _stage(queue, a.values), _stage(queue, b.values)
        pending = queue.matmul(a_operand, b_operand, b_layout=b_layout, label=label)
        queue.run()
        accumulators = pending.view()
        if self.verifier is not None:
            self.verifier.check(label, a_operand.array, b_operand.array, b_layout, accumulators)
        column_scale = b.scale.mT if b_layout == "nk" else b.scale
        return (torch.from_numpy(accumulators) * a.scale).mul_(column_scale)


def _stage(queue, values):
    """An operand in device memory with whole numbers, converted to int8 as they are copied there."""
    operand = queue.empty(values.shape)
    torch.from_numpy(operand.array).copy_(values)
    return operand


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
        self._input = f"the input of {label}"
        self._weight = f"the weight of {label}"

    def __deepcopy__(self, memo):
        return Site(self.engine, self.label)

    def __reduce__(self):
        raise TypeError(
            "an offloaded model holds an open device and cannot be pickled: save its state_dict()"
        )

    def hold(self, weight, *, rows=None, transposed=False, part=None):
        """The resident weight of a parameter of this module, held for ``part`` until it changes.

        See :meth:`Engine.resident`.
        """
        resident = self.engine.resident(weight, what=self._weight, rows=rows, transposed=transposed)
        self._held[part] = resident
        return resident

    def linear(self, x, weight, bias, *, rows=None, transposed=False, part=None):
        """``x · weightᵀ + bias`` with int8 operands: per-token activations, per-output-channel weights.

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
        result = self.engine.linear(
            quantize(x if x.dim() > 1 else x.unsqueeze(0), dim=-1, what=self._input),
            resident,
            bias,
            label=self.label if part is None else f"{self.label}.{part}",
        )
        return result if x.dim() > 1 else result.squeeze(0)
