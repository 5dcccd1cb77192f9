"""Products whose operands do not fit the device's memory together, run in parts."""

import numpy as np
from systolith_hw import BLayout, Output

from . import golden
from .errors import DeviceError, untraced
from .operands import PackedWeight
from .pending import INT8, INT32, Pending

__all__ = ["PendingInParts"]


class PendingInParts(Pending):
    """The result of a product that is run as two halves, each likewise in parts if it must.

    What is halved is the first batch dimension of more than one matrix, else M, N or K: what costs the fewest
    bytes to be moved twice. The halves of K are int32; the host adds them and computes the epilogue. A
    resident B is not halved but where nothing else is left; then it is read back. Every part gets a record
    of its own, so :attr:`record` stays None.

    Parameters
    ----------
    a, b : int8 array, Operand or PackedWeight
        Arrays are the queue's own; what they and operands hold is read by :meth:`run`.
    shape : tuple of int
        Of the result.
    problem : Problem
    parameters : ``(N,)`` array or None
        Of the epilogue; None if there is none, or ``b`` has its own.
    run_part : callable
        From a problem, A, B and an epilogue to the result of their product.
    exhausted : OutOfDeviceMemory
        What is raised if nothing is left to halve.
    """

    __slots__ = ("_exhausted", "_run_part")

    def __init__(self, a, b, *, shape, problem, parameters, run_part, exhausted):
        self.shape = shape
        self.dtype = INT8 if problem.output is Output.INT8 else INT32
        self.descriptors = ()
        self.record = None
        self.error = None
        self._operands = (a, b)
        self._problem = problem
        self._parameters = parameters
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
        parameters = self._parameters
        axis = _halved_axis(self.shape, a.shape[-1], b if resident else None)
        if axis is None and resident:
            parameters = b.parameters
            b = b.read_back()
            resident = False
            axis = _halved_axis(self.shape, a.shape[-1], None)
        if axis is None:
            raise self._exhausted
        epilogue = _epilogue(parameters, self._problem.output)
        if axis == "k":
            return self._run_k_halves(a, b, epilogue)
        result = np.empty(self.shape, self.dtype)
        for part in _halves(self.shape[axis]):
            part_a, part_b, part_epilogue = a, b, epilogue
            if axis == -1:
                part_b = _cut(b, -1 if self._problem.b_layout is BLayout.KN else -2, part)
                part_epilogue = {name: values[part] for name, values in epilogue.items()}
            else:
                part_a = _cut(a, axis, part)
                if axis < -2 and not resident:
                    part_b = _cut(b, axis, part)
            where = [slice(None)] * len(self.shape)
            where[axis] = part
            result[tuple(where)] = self._run_part(self._problem, part_a, part_b, part_epilogue)
        return result

    def _run_k_halves(self, a, b, epilogue):
        problem = self._problem
        plain = problem._replace(output=Output.INT32, parameters=False, relu=False)
        k_axis = -2 if problem.b_layout is BLayout.KN else -1
        total = sum(
            self._run_part(plain, _cut(a, -1, part), _cut(b, k_axis, part), {})
            for part in _halves(a.shape[-1])
        )
        finish = golden.requantize if problem.output is Output.INT8 else golden.saturate
        return finish(total, **epilogue, relu=problem.relu)


def _halved_axis(shape, k, weight):
    """What to halve: an axis of the result, counted from the end, or ``"k"``; None if there is nothing."""
    for axis in range(-len(shape), -2):
        shared = weight is None or -axis > len(weight.shape) or weight.shape[axis] == 1
        if shape[axis] > 1 and shared:
            return axis
    m, n = shape[-2:]
    # B, A, or an int32 D goes over the bus once more.
    costs = {-2: 0 if weight is not None else k * n} if m > 1 else {}
    if n > 1 and weight is None:
        costs[-1] = m * k
    if k > 1 and weight is None:
        costs["k"] = 4 * m * n
    return min(costs, key=costs.__getitem__, default=None)


def _epilogue(parameters, output):
    """Parameters as options of a product; of what a weight has, those that this output needs."""
    if parameters is None:
        return {}
    names = ("bias", "multiplier", "shift") if output is Output.INT8 else ("bias",)
    return {name: parameters[name] for name in names}


def _halves(size):
    return slice(0, size // 2), slice(size // 2, size)


def _cut(array, axis, part):
    """A part along an axis; all of an array that broadcasts there."""
    if -axis > array.ndim or (axis < -2 and array.shape[axis] == 1):
        return array
    where = [slice(None)] * array.ndim
    where[axis] = part
    return array[tuple(where)]
