"""Products whose operands do not fit the device's memory together, run in parts."""

import numpy as np
from systolith_hw import BLayout

from .errors import DeviceError, untraced
from .operands import PackedWeight
from .pending import Pending

__all__ = ["PendingInParts"]


class PendingInParts(Pending):
    """The result of a product that is run as two halves, each likewise in parts if it must.

    What is halved is the first batch dimension of more than one matrix, else the larger of M and N. A
    resident B is not halved. Every part gets a record of its own, so :attr:`record` stays None.

    Parameters
    ----------
    a, b : int8 array, Operand or PackedWeight
        Arrays are the queue's own; what they and operands hold is read by :meth:`run`.
    shape : tuple of int
        Of the result.
    dtype : numpy.dtype
        Of the result.
    layout : BLayout
    epilogue : dict
        ``bias``, ``multiplier`` and ``shift`` for every output channel; empty if ``b`` has its own.
    run_part : callable
        From A, B and an epilogue to the result of their product.
    exhausted : OutOfDeviceMemory
        What is raised if nothing is left to halve.
    """

    __slots__ = ("_epilogue", "_exhausted", "_layout", "_run_part")

    def __init__(self, a, b, *, shape, dtype, layout, epilogue, run_part, exhausted):
        self.shape = shape
        self.dtype = dtype
        self.descriptors = ()
        self.record = None
        self.error = None
        self._operands = (a, b)
        self._layout = layout
        self._epilogue = epilogue
        self._run_part = run_part
        self._exhausted = exhausted
        self._lease = None
        self._result = None
        self._ended = False

    def run(self):
        """Run all parts; a device's error is left in :attr:`error`."""
        try:
            self._result = self._run()
        except DeviceError as error:
            self.error = untraced(error)
        self._operands = self._run_part = self._exhausted = None

    def _run(self):
        a, b = self._operands
        a = a if isinstance(a, np.ndarray) else a.array
        resident = isinstance(b, PackedWeight)
        b = b if resident or isinstance(b, np.ndarray) else b.array
        axis = _halved_axis(self.shape, b if resident else None)
        if axis is None:
            raise self._exhausted
        result = np.empty(self.shape, self.dtype)
        half = self.shape[axis] // 2
        for part in (slice(0, half), slice(half, self.shape[axis])):
            part_a, part_b, epilogue = a, b, self._epilogue
            if axis == -1:
                part_b = _cut(b, -1 if self._layout is BLayout.KN else -2, part)
                epilogue = {name: values[part] for name, values in epilogue.items()}
            else:
                part_a = _cut(a, axis, part)
                if axis < -2 and not resident:
                    part_b = _cut(b, axis, part)
            where = [slice(None)] * len(self.shape)
            where[axis] = part
            result[tuple(where)] = self._run_part(part_a, part_b, epilogue)
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
