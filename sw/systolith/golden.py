"""The reference: exact integer arithmetic in NumPy, and the device that runs descriptors with it."""

import contextlib
import functools
import math
import time

import numpy as np
from systolith_hw import BLayout, Code, Completion, Output, Reject
from systolith_hw.config import ADDRESS_BITS, K_MAX, PARAMETER_BYTES

from .device import Device

__all__ = ["PARAMETER_DTYPE", "GoldenDevice", "gemm", "product", "requantize", "saturate"]

PARAMETER_DTYPE = np.dtype([("bias", "<i4"), ("multiplier", "<u2"), ("shift", "u1"), ("zero", "u1")])
"""One output channel's epilogue parameters in device memory."""

EXACT_K = 1 << 10
"""Largest K whose every partial sum of int8 products is an integer of at most 2**24: exact in float32."""

CHUNK_ELEMENTS = 1 << 22
"""Elements of B that are converted to floating point at once,"""

FEW_ROWS = 8
"""or, where A has no more rows than this, so that converting B is most of the work,"""

CACHED_ELEMENTS = 1 << 18
"""as many as stay in a core's cache."""

ONE_THREAD_MACS = 1 << 30
"""Multiply-accumulates, some twenty milliseconds, for which threads cost more than they gain: on busy cores
each waits for the others until it is their turn, and afterwards they keep others waiting."""

INT32 = np.iinfo(np.int32)
INT8 = np.iinfo(np.int8)


@functools.cache
def _blas():
    """What computes NumPy's matmul."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController().select(user_api="blas")


def product(a, b, *, b_layout="kn"):
    """The exact product of int8 matrices.

    Computed by float32 matmul over parts of K that are short enough to be exact in any order of summation;
    the parts are added as integers.

    Parameters
    ----------
    a : ``(…, M, K) int8``
    b : ``(…, K, N) int8``, or ``(…, N, K) int8`` with ``b_layout="nk"``
        Batch dimensions broadcast.
    b_layout : str

    Returns
    -------
    ``(…, M, N) int32``

    Raises
    ------
    TypeError, ValueError
        If an element type or a size is wrong, or K is beyond ``K_MAX``, where int32 could overflow.
    """
    if b_layout not in ("kn", "nk"):
        raise ValueError(f"b_layout must be 'kn' or 'nk', not {b_layout!r}")
    for name, operand in (("a", a), ("b", b)):
        if operand.dtype != np.int8:
            raise TypeError(f"{name} must be int8, not {operand.dtype}")
    if b_layout == "nk":
        b = b.swapaxes(-1, -2)
    k, n = b.shape[-2:]
    if a.shape[-1] != k:
        raise ValueError(f"a of shape {a.shape} has K {a.shape[-1]}, b has K {k}")
    if k > K_MAX:
        raise ValueError(f"K must be at most {K_MAX}, beyond which int32 could overflow, not {k}")
    shape = (*np.broadcast_shapes(a.shape[:-2], b.shape[:-2]), a.shape[-2], n)
    small = math.prod(shape) * k <= ONE_THREAD_MACS
    with _blas().limit(limits=1) if small else contextlib.nullcontext():
        return _product(a.astype(np.float32), b, shape)


def _product(a, b, shape):
    """The product of a float32 copy of A with B, of a shape that is known."""
    k, n = b.shape[-2:]
    chunk = CACHED_ELEMENTS if shape[-2] <= FEW_ROWS else CHUNK_ELEMENTS
    if k <= EXACT_K and b.size <= chunk:
        return np.matmul(a, b.astype(np.float32)).astype(np.int32)
    result = np.empty(shape, np.int32)
    width = max(1, n * chunk // b.size)
    for n_start in range(0, n, width):
        columns = slice(n_start, n_start + width)
        for k_start in range(0, k, EXACT_K):
            part = slice(k_start, k_start + EXACT_K)
            sums = np.matmul(a[..., part], b[..., part, columns].astype(np.float32))
            if k_start:
                result[..., columns] += sums.astype(np.int32)
            else:
                result[..., columns] = sums
    return result


def saturate(acc, bias=None, *, relu=False):
    """The int32 epilogue: ``clamp(acc + bias, -2**31, 2**31 - 1)`` with an exact sum, then ReLU.

    Parameters
    ----------
    acc : ``(…, N) int32``
    bias : ``(N,) int32`` or None
    relu : bool
        Whether negative results become 0.

    Returns
    -------
    ``(…, N) int32``
    """
    if bias is not None:
        acc = np.clip(acc + np.asarray(bias, np.int64), INT32.min, INT32.max).astype(np.int32)
    return np.maximum(acc, 0) if relu else acc


def requantize(acc, bias, multiplier, shift, *, relu=False):
    """The int8 epilogue.

    ``clamp(((acc + bias) * multiplier + rounding) >> shift, -128, 127)``, all exact, where ``rounding`` is
    ``1 << (shift - 1)``, or 0 where ``shift`` is 0, and ``>>`` rounds towards minus infinity; then ReLU.
    In int64: 33 bits times 16 bits, plus at most ``2**62``, do not overflow.

    Parameters
    ----------
    acc : ``(…, N) int32``
    bias : ``(N,) int32`` or None
    multiplier : ``(N,) uint16``
    shift : ``(N,)`` integers from 0 to 63
    relu : bool
        Whether negative results become 0.

    Returns
    -------
    ``(…, N) int8``
    """
    shift = np.asarray(shift, np.int64)
    rounding = np.where(shift > 0, np.int64(1) << np.maximum(shift - 1, 0), 0)
    total = acc.astype(np.int64)
    if bias is not None:
        total += np.asarray(bias, np.int64)
    total *= np.asarray(multiplier, np.int64)
    total += rounding
    total >>= shift
    return np.clip(total, 0 if relu else INT8.min, INT8.max).astype(np.int8)


def gemm(a, b, *, b_layout="kn", bias=None, multiplier=None, shift=None, relu=False, out="int32"):
    """``epilogue(A·B)``: :func:`product`, then :func:`saturate` or, with ``out="int8"``, :func:`requantize`.

    Parameters and results are theirs.
    """
    acc = product(a, b, b_layout=b_layout)
    if out == "int8":
        return requantize(acc, bias, multiplier, shift, relu=relu)
    if out != "int32":
        raise ValueError(f"out must be 'int32' or 'int8', not {out!r}")
    return saturate(acc, bias, relu=relu)


class GoldenDevice(Device):
    """Runs descriptors on a NumPy memory. It knows what a result is, and nothing of cycles.

    It keeps to the contract: it rejects what :meth:`Descriptor.check` rejects, writes nothing but D, and
    answers an access outside its memory with a bus error. Completions have no counters (None).

    Parameters
    ----------
    config : ArrayConfig
    memory_bytes : int
        A multiple of 4096 up to 4 GiB, taken from the host when first touched.
    memory_base : int
        First address.
    memory : ``(memory_bytes,) uint8`` array or None
        The memory itself, for example shared with other processes. None: a new one.

    Raises
    ------
    ValueError
        If ``memory_bytes`` is not that, or the memory lies outside the addresses.
    TypeError
        If ``memory`` is no array of that size and type, or not contiguous and writable.
    """

    target = "golden"

    def __init__(self, config, *, memory_bytes=1 << 29, memory_base=0, memory=None):
        if type(memory_bytes) is not int or memory_bytes % 4096 or not 0 < memory_bytes <= 1 << 32:
            raise ValueError(f"memory_bytes must be a multiple of 4096 up to 4 GiB, not {memory_bytes!r}")
        if memory_base < 0 or memory_base + memory_bytes > 1 << ADDRESS_BITS:
            raise ValueError(
                f"memory must lie within {ADDRESS_BITS} address bits, "
                f"not from {memory_base:#x} to {memory_base + memory_bytes:#x}"
            )
        if memory is None:
            memory = np.zeros(memory_bytes, np.uint8)
        _check_memory(memory, memory_bytes)
        super().__init__(config, memory_base=memory_base, memory_bytes=memory_bytes, memory=memory)
        self._queued = []

    def _submit(self, descriptors):
        self._queued.extend(descriptors)

    def _collect(self):
        queued, self._queued = self._queued, []
        ended = []
        for descriptor in queued:
            start = time.perf_counter()
            completion = self._run(descriptor)
            ended.append((descriptor, completion, time.perf_counter() - start))
        return ended

    def _reset(self):
        self._queued = []

    def _run(self, d):
        reason = d.check(self.config)
        if reason:
            return _completion(d, Code.REJECTED, reason=reason)
        int8 = d.output is Output.INT8
        kn = d.b_layout is BLayout.KN
        reads = {
            "a": (d.a_address, (d.batch, d.m, d.k), (d.a_batch_stride, d.a_stride, 1)),
            "b": (
                d.b_address,
                (d.batch, d.k, d.n) if kn else (d.batch, d.n, d.k),
                (d.b_batch_stride, d.b_stride, 1),
            ),
        }
        if d.parameters:
            reads["parameters"] = (d.parameter_address, (d.n,), (PARAMETER_BYTES,))
        for address, shape, strides in reads.values():
            itemsize = PARAMETER_BYTES if len(shape) == 1 else 1
            fault = self._fault(address, shape, strides, itemsize)
            if fault is not None:
                return _completion(d, Code.READ_ERROR, fault_address=fault)
        itemsize = 1 if int8 else 4
        target = (d.d_address, (d.batch, d.m, d.n), (d.d_batch_stride, d.d_stride, itemsize))
        fault = self._fault(*target, itemsize)
        if fault is not None:
            return _completion(d, Code.WRITE_ERROR, fault_address=fault)

        a, b = (self._array(*reads[name], np.int8) for name in "ab")
        acc = product(a, b, b_layout="kn" if kn else "nk")
        parameters = self._array(*reads["parameters"], PARAMETER_DTYPE) if d.parameters else None
        bias = None if parameters is None else parameters["bias"]
        if int8:
            # Shifts have 6 bits in the record; the byte's other bits mean nothing.
            shift = parameters["shift"] & 63
            result = requantize(acc, bias, parameters["multiplier"], shift, relu=d.relu)
        else:
            result = saturate(acc, bias, relu=d.relu)
        self._array(*target, np.int8 if int8 else np.dtype("<i4"))[...] = result
        return _completion(d, Code.OK)

    def _fault(self, address, shape, strides, itemsize):
        """The first address of an operand that is outside the memory, or None."""
        last = address + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True))
        if address < self.memory_base:
            return address
        end = self.memory_base + self.memory_bytes
        return None if last + itemsize <= end else max(address, end)

    def _array(self, address, shape, strides, dtype):
        return np.ndarray(shape, dtype, self.memory, address - self.memory_base, strides)


def _check_memory(memory, memory_bytes):
    """Check that an array can be the memory of a device."""
    if not isinstance(memory, np.ndarray) or memory.dtype != np.uint8 or memory.shape != (memory_bytes,):
        what = f"{memory.shape} {memory.dtype}" if isinstance(memory, np.ndarray) else repr(memory)
        raise TypeError(f"memory must be an array of ({memory_bytes},) uint8, not {what}")
    if not (memory.flags.c_contiguous and memory.flags.writeable):
        raise TypeError("memory must be contiguous and writable")


def _completion(descriptor, code, *, reason=Reject.NONE, fault_address=0):
    return Completion(
        code=code,
        reason=reason,
        fault_address=fault_address,
        tag=descriptor.tag,
        counters=None,  # zeros would claim to have been counted
    )


def open_target(_target, config, *, memory_bytes=1 << 29, memory_base=0, memory=None):
    """A :class:`GoldenDevice`."""
    return GoldenDevice(config, memory_bytes=memory_bytes, memory_base=memory_base, memory=memory)
