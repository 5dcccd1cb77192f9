"""Several GEMMs that run back to back: operands in, descriptors, results out."""

import numpy as np
from systolith_hw import BLayout, Code, Output

from . import golden
from .device import completion_error
from .errors import OutOfDeviceMemory
from .memory import round_up
from .operands import (
    Operand,
    PackedWeight,
    check_layout,
    check_matrix,
    check_shape,
    pack_parameters,
    row_strides,
)
from .records import Record, add_counters
from .tiling import Placement, Problem, batches, descriptors, sizes

__all__ = ["Pending", "Queue"]

CHUNK_BYTES = 1 << 16
"""Least device memory that a workspace takes."""


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
        self._lease = _Lease(device)
        self._staged = []
        self._pending = []

    def __enter__(self):
        return self

    def __exit__(self, exception_type, exception, traceback):
        if exception_type is None:
            self.run()

    def empty(self, shape):
        """An operand to be filled in, through its :attr:`Operand.array`, before the queue runs.

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
        OutOfDeviceMemory
            If it does not fit.
        """
        shape = tuple(shape)
        check_shape("operand", shape)
        stride = round_up(shape[-1], self._device.config.bus_bytes)
        return self._operand(self._lease.take(row_strides(shape, stride, 1)[0] * shape[0]), shape, stride)

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
        OutOfDeviceMemory
            If it does not fit.
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

        A product that does not fit the device's memory is run at once, in parts.

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
            layout = _resident_layout(device, b, b_layout)
        else:
            layout = check_layout("kn" if b_layout is None else b_layout)
            self._check_operand("b", b)
        m, k = a.shape[-2:]
        b_k, n = b.shape[-2:] if layout is BLayout.KN else b.shape[:-3:-1]
        if k != b_k:
            raise ValueError(f"K must be equal: a of shape {a.shape} has {k}, b of shape {b.shape} has {b_k}")
        output = _OUTPUTS.get(out)
        if output is None:
            raise ValueError(f"out must be 'int32' or 'int8', not {out!r}")
        parameters = _parameters(n, b if resident else None, bias, multiplier, shift, output)
        problem = Problem(m, k, n, layout, output, parameters is not None, bool(relu))
        runs = batches(a.shape[:-2], b.shape[:-2])
        need = sizes(problem, a.shape[:-2], b.shape[:-2], runs.shape, device.config)

        upload_a, upload_b = isinstance(a, np.ndarray), isinstance(b, np.ndarray)
        upload_parameters = need.parameter_bytes and not (resident and b.parameters is not None)
        align = device.alignment_bytes - 1
        a_end = (need.a_bytes + align) & ~align if upload_a else 0
        b_end = a_end + (((need.b_bytes + align) & ~align) if upload_b else 0)
        p_end = b_end + (((need.parameter_bytes + align) & ~align) if upload_parameters else 0)
        try:
            base = self._lease.take(p_end + need.d_bytes)
        except OutOfDeviceMemory:
            from .matmul import matmul_in_parts

            result = matmul_in_parts(
                a,
                b,
                device=device,
                layout=layout,
                parameters=parameters,
                relu=relu,
                output=output,
                label=label,
            )
            return Pending(None, result.shape, result.dtype, result=result)
        if upload_a:
            source, a = a, self._operand(base, a.shape, need.a_stride)
            a.array[...] = source
        if upload_b:
            source, b = b, self._operand(base + a_end, b.shape, need.b_stride)
            b.array[...] = source
        parameter_address = 0
        if upload_parameters:
            parameter_address = base + b_end
            device.write(parameter_address, parameters)
        elif parameters is not None:
            parameter_address = b.parameter_address
        placement = Placement(
            a.address, a.stride, b.address, b.stride, base + p_end, need.d_stride, parameter_address
        )
        pending = Pending(self._lease, (*runs.shape, m, n), _DTYPES[output])
        pending._plan = (problem, runs, label, parameters)
        pending._descriptors = descriptors(problem, runs, placement, device.config)
        pending._keep = (a, b)
        pending._address = base + p_end
        pending._stride = need.d_stride
        pending._bytes = need.d_bytes
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
        staged, self._staged = self._staged, []
        if not pending:
            return
        device = self._device
        for operand in staged:
            device.write(operand.address, operand.staged)
        submitted = [descriptor for each in pending for descriptor in each._descriptors]
        try:
            ended = device.execute(submitted)
        except BaseException:
            if not device.closed:
                device.reset()
            raise
        start = 0
        failure = None
        for each in pending:
            end = start + len(each._descriptors)
            each._finish(device, ended[start:end])
            failure = failure or each._error
            start = end
        if failure is not None:
            failure.completions = [completion for _, completion, _ in ended]
            raise failure

    def _check_operand(self, name, operand):
        if not isinstance(operand, Operand):
            check_matrix(name, operand)
        elif operand.lease is not self._lease:
            raise ValueError(f"{name} is an operand of another queue")

    def _operand(self, address, shape, stride):
        operand = Operand(self._device, self._lease, address, shape, stride)
        if operand.staged is not None:
            self._staged.append(operand)
        return operand


class Pending:
    """The result of a queued GEMM.

    Members
    -------
    shape : tuple of int
    dtype : numpy.dtype
        int32 or int8.
    record : Record or None
        What it took, once it has run.
    """

    __slots__ = (
        "_address",
        "_bytes",
        "_descriptors",
        "_device",
        "_error",
        "_keep",
        "_lease",
        "_plan",
        "_result",
        "_stride",
        "dtype",
        "record",
        "shape",
    )

    def __init__(self, lease, shape, dtype, *, result=None):
        self._lease = lease
        self.shape = shape
        self.dtype = dtype
        self._result = result
        self._device = None
        self._error = None
        self.record = None

    def view(self):
        """The result without a copy, where it lies in device memory and the host can see it.

        Valid while this object lives.

        Returns
        -------
        ``(…, M, N)`` int32 or int8 array

        Raises
        ------
        RuntimeError
            If the queue has not run.
        DeviceError
            What this GEMM ended with, if it failed.
        """
        if self._result is not None:
            return self._result
        if self._error is not None:
            raise self._error
        if self._device is None:
            raise RuntimeError("the queue of this result has not run")
        self._result = self._fetch()
        return self._result

    def result(self):
        """The result in an array of its own; raises as :meth:`view` does.

        Returns
        -------
        ``(…, M, N)`` int32 or int8 array
        """
        view = self.view()
        return view.copy() if self._lease is not None else view

    def _finish(self, device, ended):
        self._device = device
        for descriptor, completion, _ in ended:
            if completion.code is not Code.OK:
                self._error = completion_error(descriptor, completion)
                return
        problem, runs, label, _ = self._plan
        self._keep = None
        self.record = Record(
            label,
            sum(run.size for run in runs.runs),
            problem.m * runs.m_factor,
            problem.k,
            problem.n,
            problem.b_layout,
            problem.output,
            device.target,
            device.config,
            self._descriptors,
            add_counters(completion.counters for _, completion, _ in ended),
            sum(seconds for _, _, seconds in ended),
        )
        device.trace.append(self.record)

    def _fetch(self):
        device = self._device
        problem, _, _, parameters = self._plan
        partial = len(self._descriptors) > 1 and self._descriptors[0].k < problem.k
        dtype = np.dtype("<i4") if partial else self.dtype
        if device.memory is None:
            memory, offset = device.read(self._address, self._bytes), 0
        else:
            device.check_open()
            memory, offset = device.memory, self._address - device.memory_base
        strides = row_strides(self.shape, self._stride, dtype.itemsize)
        if not partial:
            return np.ndarray(self.shape, dtype, memory, offset, strides)
        part_bytes = strides[0] * self.shape[0]
        total = sum(
            np.ndarray(self.shape, dtype, memory, start, strides)
            for start in range(offset, offset + self._bytes, part_bytes)
        )
        bias = None if parameters is None else parameters["bias"]
        if problem.output is Output.INT8:
            return golden.requantize(
                total, bias, parameters["multiplier"], parameters["shift"], relu=problem.relu
            )
        return golden.saturate(total, bias, relu=problem.relu)


_OUTPUTS = {"int32": Output.INT32, "int8": Output.INT8}
_DTYPES = {Output.INT32: np.dtype("<i4"), Output.INT8: np.dtype("i1")}


def _resident_layout(device, weight, b_layout):
    if weight.freed:
        raise ValueError("the packed weight has been freed")
    if weight.device is not device:
        raise ValueError(f"the packed weight is resident on {weight.device}, not on {device}")
    if b_layout is not None and check_layout(b_layout) is not weight.b_layout:
        raise ValueError(f"b_layout must be {weight.b_layout.name.lower()!r} as packed, not {b_layout!r}")
    return weight.b_layout


def _parameters(n, weight, bias, multiplier, shift, output):
    given = not (bias is None and multiplier is None and shift is None)
    if weight is not None and weight.parameters is not None:
        if given:
            raise ValueError("the packed weight has bias, multiplier and shift of its own")
        has_multiplier, parameters = weight.has_multiplier, weight.parameters
    elif given:
        if multiplier is not None and output is Output.INT32:
            raise ValueError("multiplier and shift need out='int8'")
        has_multiplier = multiplier is not None
        parameters = pack_parameters(n, bias=bias, multiplier=multiplier, shift=shift)
    else:
        has_multiplier, parameters = False, None
    if output is Output.INT8 and not has_multiplier:
        raise ValueError("out='int8' needs multiplier and shift")
    return parameters


class _Workspace:
    """Device memory that is handed out from its begin and taken back as a whole."""

    def __init__(self, device):
        self._device = device
        self._buffers = []
        self._next = self._end = 0
        self._first_bytes = CHUNK_BYTES

    def take(self, nbytes):
        nbytes = round_up(nbytes, self._device.alignment_bytes)
        address = self._next
        if address + nbytes > self._end:
            address = self._grow(nbytes)
        self._next = address + nbytes
        return address

    def _grow(self, nbytes):
        if len(self._buffers) == 1 and self._next == self._buffers[0].address:
            self.release()
        wanted = max(nbytes, self._first_bytes, sum(buffer.size for buffer in self._buffers))
        try:
            buffer = self._device.allocate(wanted)
        except OutOfDeviceMemory:
            buffer = self._device.allocate(nbytes)
        self._buffers.append(buffer)
        self._end = buffer.address + buffer.size
        return buffer.address

    def recycle(self):
        """Take everything back; what needed several buffers gets one next time."""
        if len(self._buffers) > 1:
            self._first_bytes = sum(buffer.size for buffer in self._buffers)
            self.release()
        elif self._buffers:
            self._next = self._buffers[0].address

    def release(self):
        """Give the memory back to the device."""
        for buffer in self._buffers:
            self._device.free(buffer)
        self._buffers = []
        self._next = self._end = 0


class _Lease:
    """Use of a workspace until nobody refers to this object any more."""

    __slots__ = ("_device", "_workspace", "take")

    def __init__(self, device):
        self._device = device
        self._workspace = device.idle_workspaces.pop() if device.idle_workspaces else _Workspace(device)
        self.take = self._workspace.take

    def __del__(self):
        if not self._device.closed:
            self._workspace.recycle()
            self._device.idle_workspaces.append(self._workspace)
