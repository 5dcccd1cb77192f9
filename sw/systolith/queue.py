"""Several GEMMs that run back to back: operands in, descriptors, results out."""

import contextlib
import copy
import functools

import numpy as np
from systolith_hw import BLayout

from .errors import OutOfDeviceMemory, untraced
from .memory import round_up
from .operands import (
    Operand,
    PackedWeight,
    check_layout,
    check_matrix,
    check_output,
    check_shape,
    resident_layout,
    row_strides,
)
from .parameters import product_parameters
from .parts import PendingInParts
from .pending import Pending
from .tiling import Placement, Problem, batches, descriptors, sizes
from .workspace import Lease

__all__ = ["Queue"]

OPERAND_SHARE = 8
"""An operand gets device memory of its own if it takes at most this part of it."""


class Queue:
    """GEMMs that are independent of each other, run by the device as one.

    .. code-block:: python

        with device.queue() as queue:
            x = queue.upload(activation)
            q = queue.matmul(x, wq, label="q")
            k = queue.matmul(x, wk, label="k")
        q.result(), k.result()

    Leaving the ``with`` block runs it; :meth:`run` does so at once. Operands and results live in memory
    that is given back when the queue, its operands and its pending results are all gone.

    Parameters
    ----------
    device : Device
    """

    def __init__(self, device):
        device.check_open()
        self._device = device
        self._lease = Lease(device)
        self._staged = []
        self._pending = []
        self._in_parts = []

    def __enter__(self):
        return self

    def __exit__(self, exception_type, exception, traceback):
        if exception_type is None:
            self.run()

    def empty(self, shape):
        """An operand to be filled in, through its :attr:`Operand.array`, before the queue runs.

        It may be larger than the device's memory.

        Parameters
        ----------
        shape : tuple of int
            ``(…, rows, columns)``.

        Returns
        -------
        Operand

        Raises
        ------
        ValueError
            If it has fewer than two dimensions or one of them is zero.
        """
        shape = tuple(shape)
        check_shape("operand", shape)
        stride = round_up(shape[-1], self._device.config.bus_bytes)
        nbytes = row_strides(shape, stride, 1)[0] * shape[0]
        address = None
        # A product that is run in parts has no use for a large one in its way.
        if nbytes <= self._device.memory_bytes // OPERAND_SHARE:
            with contextlib.suppress(OutOfDeviceMemory):
                address = self._lease.take(nbytes)
        return self._operand(address, shape, stride)

    def upload(self, array):
        """An operand with the elements of an array.

        Parameters
        ----------
        array : ``(…, rows, columns) int8``

        Returns
        -------
        Operand

        Raises
        ------
        TypeError, ValueError
            If it is not an int8 array of matrices.
        """
        check_matrix("operand", array)
        operand = self.empty(array.shape)
        operand.array[...] = array
        return operand

    def matmul(
        self,
        a,
        b,
        *,
        b_layout=None,
        bias=None,
        multiplier=None,
        shift=None,
        relu=False,
        out="int32",
        label="",
    ):
        """Add ``epilogue(A·B)`` to the queue; see :func:`systolith.matmul`.

        A product that does not fit the device's memory is run in parts, after the others.

        Parameters
        ----------
        a : int8 array or Operand
        b : int8 array, Operand or PackedWeight

        Returns
        -------
        Pending
        """
        device = self._device
        self._check_operand("a", a)
        resident = isinstance(b, PackedWeight)
        if resident:
            layout = resident_layout(b, device, b_layout)
        else:
            layout = check_layout("kn" if b_layout is None else b_layout)
            self._check_operand("b", b)
        m, k = a.shape[-2:]
        b_k, n = b.shape[-2:] if layout is BLayout.KN else b.shape[:-3:-1]
        if k != b_k:
            raise ValueError(f"K must be equal: a of shape {a.shape} has {k}, b of shape {b.shape} has {b_k}")
        output = check_output(out)
        parameters = product_parameters(
            n, b if resident else None, bias=bias, multiplier=multiplier, shift=shift, output=output
        )
        problem = Problem(m, k, n, layout, output, parameters is not None, bool(relu))
        runs = batches(a.shape[:-2], b.shape[:-2])
        need = sizes(problem, a.shape[:-2], b.shape[:-2], runs.shape, device.config)

        upload_a, upload_b = isinstance(a, np.ndarray), isinstance(b, np.ndarray)
        place_a = not upload_a and a.address is None
        place_b = not upload_b and b.address is None and b is not a
        upload_parameters = need.parameter_bytes and not (resident and b.parameters is not None)
        align = device.alignment_bytes - 1
        a_end = (need.a_bytes + align) & ~align if upload_a or place_a else 0
        b_end = a_end + (((need.b_bytes + align) & ~align) if upload_b or place_b else 0)
        p_end = b_end + (((need.parameter_bytes + align) & ~align) if upload_parameters else 0)
        exhausted = None
        try:
            base = self._lease.take(p_end + need.d_bytes)
        except OutOfDeviceMemory as error:
            exhausted = error.with_traceback(None)
        if exhausted is not None:
            shape = (*runs.shape, m, n)
            return self._add_in_parts(a, b, problem, shape, label, parameters, exhausted)
        if upload_a:
            source, a = a, self._operand(base, a.shape, need.a_stride)
            a.array[...] = source
        elif place_a:
            self._place(a, base)
        if upload_b:
            source, b = b, self._operand(base + a_end, b.shape, need.b_stride)
            b.array[...] = source
        elif place_b:
            self._place(b, base + a_end)
        parameter_address = 0
        if upload_parameters:
            parameter_address = base + b_end
            device.write(parameter_address, parameters)
        elif parameters is not None:
            parameter_address = b.parameter_address
        placement = Placement(
            a.address, a.stride, b.address, b.stride, base + p_end, need.d_stride, parameter_address
        )
        pending = Pending(
            device,
            self._lease,
            problem=problem,
            runs=runs,
            descriptors=descriptors(problem, runs, placement, device.config),
            operands=(a, b.residence if resident else b),
            parameters=parameters,
            address=base + p_end,
            stride=need.d_stride,
            nbytes=need.d_bytes,
            label=label,
        )
        self._pending.append(pending)
        return pending

    def run(self):
        """Run everything added, and wait for it.

        Raises
        ------
        DeviceError
            The first GEMM's that failed; the others' results can be had. A run that was interrupted
            resets the device.
        """
        pending, self._pending = self._pending, []
        in_parts, self._in_parts = self._in_parts, []
        staged, self._staged = self._staged, []
        failure = self._run_whole(pending, staged) if pending else None
        for each in in_parts:
            each.run()
            failure = failure or each.error
        if failure is not None:
            raise untraced(failure)

    def _run_whole(self, pending, staged):
        """Run products that lie in device memory; the error of the first that failed, or None."""
        device = self._device
        for operand in staged:
            device.write(operand.address, operand.staged)
        submitted = [descriptor for each in pending for descriptor in each.descriptors]
        try:
            ended = device.execute(submitted)
        except BaseException:
            if not device.closed:
                device.reset()
            raise
        start = 0
        failure = None
        for each in pending:
            end = start + len(each.descriptors)
            each.finish(ended[start:end])
            failure = failure or each.error
            start = end
        if failure is not None:
            failure.completions = [completion for _, completion, _ in ended]
        return failure

    def _add_in_parts(self, a, b, problem, shape, label, parameters, exhausted):
        if isinstance(b, PackedWeight):
            # A handle of its own: the user may free theirs before the queue runs.
            b = copy.copy(b)
            if b.parameters is not None:
                parameters = None
        pending = PendingInParts(
            a.copy() if isinstance(a, np.ndarray) else a,
            b.copy() if isinstance(b, np.ndarray) else b,
            shape=shape,
            problem=problem,
            parameters=parameters,
            run_part=functools.partial(_run_part, self._device, label),
            exhausted=exhausted,
        )
        self._in_parts.append(pending)
        return pending

    def _check_operand(self, name, operand):
        if not isinstance(operand, Operand):
            check_matrix(name, operand)
        elif operand.lease is not self._lease:
            raise ValueError(f"{name} is an operand of another queue")

    def _operand(self, address, shape, stride):
        operand = Operand(self._device, self._lease, address, shape, stride)
        if operand.staged is not None and address is not None:
            self._staged.append(operand)
        return operand

    def _place(self, operand, address):
        """Give an operand a place that was too large for one of its own."""
        operand.address = address
        self._staged.append(operand)


def _run_part(device, label, problem, a, b, epilogue):
    """One part of a product that does not fit as a whole."""
    queue = Queue(device)
    pending = queue.matmul(
        a,
        b,
        b_layout=problem.b_layout.name.lower(),
        relu=problem.relu,
        out=problem.output.name.lower(),
        label=label,
        **epilogue,
    )
    queue.run()
    return pending.result()
