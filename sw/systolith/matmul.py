"""Matrix products of NumPy arrays, run by a device."""

import numpy as np
from systolith_hw import BLayout, Output

from .errors import OutOfDeviceMemory
from .operands import Operand, PackedWeight
from .queue import Queue

__all__ = ["matmul", "pack"]


def pack(b, *, device, b_layout="kn", bias=None, multiplier=None, shift=None):
    """Put B into device memory once, for any number of products: a :class:`PackedWeight`."""
    return PackedWeight(b, device=device, b_layout=b_layout, bias=bias, multiplier=multiplier, shift=shift)


def matmul(
    a,
    b,
    *,
    device=None,
    b_layout=None,
    bias=None,
    multiplier=None,
    shift=None,
    relu=False,
    out="int32",
    label="",
):
    """``epilogue(A·B)`` of int8 matrices, exact to the bit as the contract's ``Descriptor`` defines it.

    Parameters
    ----------
    a : ``(…, M, K) int8``
        Any strides.
    b : ``(…, K, N) int8``, or ``(…, N, K) int8`` with ``b_layout="nk"``, or PackedWeight
        Any strides. Batch dimensions broadcast.
    device : Device or None
        May be left out where ``b`` is a :class:`PackedWeight`.
    b_layout : str or None
        ``"kn"`` or ``"nk"``. None: that of a packed weight, else ``"kn"``.
    bias : int or ``(N,)`` integers within int32, or None
        Added to the product; the sum is exact, then saturated to int32 or requantized.
    multiplier : int or ``(N,)`` integers from 0 to 65535, or None
        For ``out="int8"``, with ``shift``.
    shift : int or ``(N,)`` integers from 0 to 63, or None
    relu : bool
        Whether negative results become 0.
    out : str
        ``"int32"`` or ``"int8"``.
    label : str
        Who asks, for the record in ``device.trace``.

    Returns
    -------
    ``(…, M, N)`` int32 or int8 array

    Raises
    ------
    TypeError
        If an operand is not an int8 array.
    ValueError
        If sizes do not fit each other, one is zero, K is beyond ``K_MAX``, or an option is wrong.
    DeviceError
        If the device fails; see :mod:`systolith.errors`.
    """
    if device is None:
        if not isinstance(b, PackedWeight):
            raise TypeError("device must be given unless b is a PackedWeight")
        device = b.device
    queue = Queue(device)
    pending = queue.matmul(
        a,
        b,
        b_layout=b_layout,
        bias=bias,
        multiplier=multiplier,
        shift=shift,
        relu=relu,
        out=out,
        label=label,
    )
    queue.run()
    return pending.result()


def matmul_in_parts(a, b, *, device, layout, parameters, relu, output, label):
    """A product whose operands do not fit the device's memory together: run as two halves, each likewise.

    What is halved is the first batch dimension of more than one matrix, else the larger of M and N. A
    resident B is not halved. Every part gets a record of its own.

    Parameters
    ----------
    a, b : int8 array, Operand or PackedWeight
    device : Device
    layout : BLayout
    parameters : array of ``PARAMETER_DTYPE`` or None
    relu : bool
    output : Output
    label : str

    Returns
    -------
    ``(…, M, N)`` int32 or int8 array

    Raises
    ------
    OutOfDeviceMemory
        If nothing is left to halve.
    """
    a = a if isinstance(a, np.ndarray) else a.array
    b = b.array if isinstance(b, Operand) else b
    resident = isinstance(b, PackedWeight)
    n_axis = -1 if layout is BLayout.KN else -2
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    shape = (*batch, a.shape[-2], b.shape[n_axis])
    axis = _halved_axis(shape, b if resident else None)
    if axis is None:
        raise OutOfDeviceMemory(
            wanted_bytes=device.alignment_bytes,
            largest_bytes=device.largest_free_bytes,
            free_bytes=device.free_bytes,
            total_bytes=device.memory_bytes,
        )
    result = np.empty(shape, np.int8 if output is Output.INT8 else np.int32)
    half = shape[axis] // 2
    for part in (slice(0, half), slice(half, shape[axis])):
        part_a, part_b, part_parameters = a, b, parameters
        if axis == -1:
            part_b = _cut(b, n_axis, part)
            part_parameters = None if parameters is None else parameters[part]
        else:
            part_a = _cut(a, axis, part)
            if axis < -2 and not resident:
                part_b = _cut(b, axis, part)
        epilogue = {}
        if parameters is not None and not (resident and b.parameters is not None):
            names = ("bias", "multiplier", "shift") if output is Output.INT8 else ("bias",)
            epilogue = {name: part_parameters[name] for name in names}
        where = [slice(None)] * len(shape)
        where[axis] = part
        result[tuple(where)] = matmul(
            part_a,
            part_b,
            device=device,
            b_layout=layout.name.lower(),
            relu=relu,
            out=output.name.lower(),
            label=label,
            **epilogue,
        )
    return result


def _halved_axis(shape, weight):
    """The axis of the result, counted from the end, along which it is halved; None if it cannot be."""
    for axis in range(-len(shape), -2):
        shared = weight is None or -axis > len(weight.shape) or weight.shape[axis] == 1
        if shape[axis] > 1 and shared:
            return axis
    m, n = shape[-2:]
    if n > 1 and n > m and weight is None:
        return -1
    return -2 if m > 1 else None


def _cut(array, axis, part):
    """A part along an axis; all of an array that broadcasts there."""
    if -axis > array.ndim or (axis < -2 and array.shape[axis] == 1):
        return array
    where = [slice(None)] * array.ndim
    where[axis] = part
    return array[tuple(where)]
