"""The result of a queued GEMM, and how it comes out of device memory."""

import numpy as np
from systolith_hw import Code, Output

from . import golden
from .device import completion_error
from .errors import untraced
from .operands import row_strides
from .records import Record, add_counters, shares

__all__ = ["Pending"]

INT32 = np.dtype("<i4")
INT8 = np.dtype("i1")


class Pending:
    """The result of a queued GEMM; made by :class:`Queue`.

    Members
    -------
    shape : tuple of int
    dtype : numpy.dtype
        int32 or int8.
    descriptors : tuple of Descriptor
        What the device is given; empty if the product is run in parts.
    record : Record or None
        What it took, once it has run, unless it was run in parts.
    error : DeviceError or None
        What it ended with, if it failed.
    """

    __slots__ = (
        "_address",
        "_bytes",
        "_device",
        "_ended",
        "_label",
        "_lease",
        "_operands",
        "_parameters",
        "_problem",
        "_result",
        "_runs",
        "_stride",
        "descriptors",
        "dtype",
        "error",
        "record",
        "shape",
    )

    def __init__(
        self,
        device,
        lease,
        *,
        problem,
        runs,
        descriptors,
        operands,
        parameters,
        address,
        stride,
        nbytes,
        label,
    ):
        self.shape = (*runs.shape, problem.m, problem.n)
        self.dtype = INT8 if problem.output is Output.INT8 else INT32
        self.descriptors = descriptors
        self.record = None
        self.error = None
        self._device = device
        self._lease = lease
        self._problem = problem
        self._runs = runs
        self._operands = operands
        self._parameters = parameters
        self._address = address
        self._stride = stride
        self._bytes = nbytes
        self._label = label
        self._result = None
        self._ended = False

    def view(self):
        """The result without a copy, where it lies in device memory and the host can see it.

        Valid while this object lives and the device is open.

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
        if self._result is None:
            if self.error is not None:
                raise untraced(self.error)
            if not self._ended:
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
        return view if self._lease is None else view.copy()

    def finish(self, ended):
        """Take in how the descriptors ended, and leave a record in the device's trace.

        Parameters
        ----------
        ended : list of (Descriptor, Completion, float)
            As from :meth:`Device.execute`.
        """
        self._operands = None
        for descriptor, completion, _ in ended:
            if completion.code is not Code.OK:
                self.error = completion_error(descriptor, completion)
                return
        self._ended = True
        device, problem, runs = self._device, self._problem, self._runs
        self.record = Record(
            self._label,
            sum(run.size for run in runs.runs),
            problem.m * runs.m_factor,
            problem.k,
            problem.n,
            problem.b_layout,
            problem.output,
            device.target,
            device.config,
            self.descriptors,
            add_counters(completion.counters for _, completion, _ in ended),
            sum(seconds for _, _, seconds in ended),
            shares(completion for _, completion, _ in ended),
        )
        device.trace.append(self.record)

    def _fetch(self):
        device, problem = self._device, self._problem
        partial = self.descriptors[0].k < problem.k
        dtype = INT32 if partial else self.dtype
        device.check_open()
        if device.memory is None:
            memory, offset = device.read(self._address, self._bytes), 0
        else:
            memory, offset = device.memory, self._address - device.memory_base
        strides = row_strides(self.shape, self._stride, dtype.itemsize)
        if not partial:
            return np.ndarray(self.shape, dtype, memory, offset, strides)
        part_bytes = strides[0] * self.shape[0]
        total = sum(
            np.ndarray(self.shape, dtype, memory, start, strides)
            for start in range(offset, offset + self._bytes, part_bytes)
        )
        parameters = self._parameters
        bias = None if parameters is None else parameters["bias"]
        if problem.output is Output.INT8:
            return golden.requantize(
                total, bias, parameters["multiplier"], parameters["shift"], relu=problem.relu
            )
        return golden.saturate(total, bias, relu=problem.relu)
