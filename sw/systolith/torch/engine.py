"""The one place where torch tensors meet the device: its resident weights and its matrix products."""

import weakref

import torch

from .scheme import PER_TOKEN
from .weights import ResidentWeight

__all__ = ["Engine"]


class Engine:
    """A device and the weights that live on it.

    Parameters
    ----------
    device : Device
        Open, and kept open by whoever opened it.
    verifier : Verifier or None
        Compares every product with the golden arithmetic.
    scheme : Scheme
        How the activations of linear layers are quantized.
    """

    def __init__(self, device, verifier=None, scheme=PER_TOKEN):
        self.device = device
        self.verifier = verifier
        self.scheme = scheme
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
            Packed again if the parameter has changed as far as torch tells.

        Raises
        ------
        TypeError, ValueError
            If the weight is not float32 on the CPU, holds NaN or infinity, or was made under
            ``torch.inference_mode()``.
        """
        if parameter.is_inference():
            raise ValueError(f"{what} was made under torch.inference_mode(), which hides its changes")
        key = id(parameter), rows, transposed
        resident = self._resident.get(key)
        if resident is None:
            resident = self._resident[key] = ResidentWeight(
                parameter,
                rows=rows,
                transposed=transposed,
                device=self.device,
                keep_values=self.verifier is not None,
                what=what,
            )
        else:
            resident.refresh(what)
        return resident

    def linear(self, a, weight, bias, *, label):
        """``A · Bᵀ + bias`` with the integer product computed by the device.

        Parameters
        ----------
        a : Quantized
            (…, M, K), one scale per row; of activations that ``weight`` has prepared.
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
        pending = queue.matmul(operand, weight.packed, b_layout="nk", label=label)
        queue.run()
        accumulators = pending.view()
        if self.verifier is not None:
            self.verifier.check(label, operand.array, weight.values, "nk", accumulators)
        # in this order the product does not overflow where the result does not
        scaled = torch.from_numpy(accumulators) * weight.scale
        if bias is None:
            return scaled.mul_(a.scale)
        return torch.addcmul(bias, scaled, a.scale)

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
