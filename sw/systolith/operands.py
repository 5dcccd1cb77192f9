"""Matrices in device memory: staged for one queue, or resident."""

import weakref

import numpy as np
from systolith_hw import BLayout

from .golden import PARAMETER_DTYPE
from .memory import round_up

__all__ = ["Operand", "PackedWeight", "pack_parameters", "row_strides"]

LAYOUTS = {"kn": BLayout.KN, "nk": BLayout.NK}


def row_strides(shape, stride, itemsize):
    """Strides of matrices whose rows are ``stride`` bytes apart and which follow each other."""
    strides = [itemsize, stride]
    step = stride * shape[-2]
    for size in shape[-3::-1]:
        strides.append(step)
        step *= size
    return tuple(reversed(strides))


def check_layout(b_layout):
    """The contract's layout of a name.

    Raises
    ------
    ValueError
        If there is no such layout.
    """
    layout = LAYOUTS.get(b_layout)
    if layout is None:
        raise ValueError(f"b_layout must be 'kn' or 'nk', not {b_layout!r}")
    return layout


def check_matrix(name, matrix):
    """Check that something is an int8 array of matrices without a zero size.

    Raises
    ------
    TypeError, ValueError
    """
    if isinstance(matrix, np.ma.MaskedArray):
        raise TypeError(f"{name} must not be a masked array, whose mask would be lost; call its filled()")
    if not isinstance(matrix, np.ndarray):
        raise TypeError(f"{name} must be a NumPy array of int8, not {type(matrix).__name__}")
    if matrix.dtype != np.int8:
        raise TypeError(f"{name} must be int8, not {matrix.dtype}")
    check_shape(name, matrix.shape)


def check_shape(name, shape):
    """Check that a shape is one of matrices without a zero size.

    Raises
    ------
    ValueError
    """
    if len(shape) < 2:
        raise ValueError(f"{name} must have at least 2 dimensions, not shape {shape}")
    if 0 in shape:
        raise ValueError(f"{name} must not have a size of zero: its shape is {shape}")


def pack_parameters(n, *, bias=None, multiplier=None, shift=None):
    """Epilogue parameters as the device reads them.

    Parameters
    ----------
    n : int
        Output channels.
    bias : int32 or ``(n,)`` of integers, or None
    multiplier : uint16 or ``(n,)`` of integers, or None
    shift : int from 0 to 63 or ``(n,)`` of integers, or None

    Returns
    -------
    ``(n,)`` array of :data:`PARAMETER_DTYPE`

    Raises
    ------
    TypeError
        If one is not of integers.
    ValueError
        If one has another shape or a value out of range, or of multiplier and shift one is missing.
    """
    if (multiplier is None) != (shift is None):
        missing = "multiplier" if multiplier is None else "shift"
        raise ValueError(f"multiplier and shift must be given together, {missing} is missing")
    parameters = np.zeros(n, PARAMETER_DTYPE)
    for name, values, low, high in (
        ("bias", bias, -(1 << 31), (1 << 31) - 1),
        ("multiplier", multiplier, 0, (1 << 16) - 1),
        ("shift", shift, 0, 63),
    ):
        if values is None:
            continue
        values = np.asarray(values)
        if values.dtype.kind not in "iu":
            raise TypeError(f"{name} must be of integers, not {values.dtype}")
        if values.shape not in ((), (n,)):
            raise ValueError(f"{name} must have shape ({n},), not {values.shape}")
        if values.min() < low or values.max() > high:
            least, most = values.min(), values.max()
            came = least if least == most else f"{least} to {most}"
            raise ValueError(f"{name} must be from {low} to {high}, not {came}")
        parameters[name] = values
    return parameters


class Operand:
    """Int8 matrices in device memory, rows padded to the bus; made by :class:`Queue`.

    Usable in its queue as A (``(…, M, K)``) and as B (``(…, K, N)``, or ``(…, N, K)`` with
    ``b_layout="nk"``), any number of times.

    Members
    -------
    shape : tuple of int
    address : int or None
        Where it lies in device memory; None until it is given a place with the first product that fits.
    array : int8 array of that shape
        The elements; what is written to it before the queue runs is what the device reads. If it has a place
        on a target whose memory the host can see, it is that memory. Valid while this object lives.
    """

    __slots__ = ("address", "array", "lease", "shape", "staged", "stride")

    def __init__(self, device, lease, address, shape, stride):
        self.lease = lease
        self.address = address
        self.shape = shape
        self.stride = stride
        strides = row_strides(shape, stride, 1)
        if device.memory is None or address is None:
            self.staged = np.zeros(strides[0] * shape[0], np.uint8)
            self.array = np.ndarray(shape, np.int8, self.staged, 0, strides)
        else:
            self.staged = None
            self.array = np.ndarray(shape, np.int8, device.memory, address - device.memory_base, strides)


class Residence:
    """Device memory that is given back when nobody refers to this object any more."""

    __slots__ = ("__weakref__", "address")

    def __init__(self, device, nbytes):
        buffer = device.allocate(nbytes)
        self.address = buffer.address
        weakref.finalize(self, device.give_back, buffer).atexit = False


class PackedWeight:
    """B, and its epilogue parameters, resident in device memory: written once, used by any number of GEMMs.

    The memory is given back after :meth:`free`, the end of a ``with`` block or the object's own end, once
    no product that was queued before is still to run.

    Parameters
    ----------
    b : ``(…, K, N) int8``, or ``(…, N, K) int8`` with ``b_layout="nk"``
    device : Device
    b_layout : str
        ``"kn"`` or ``"nk"``.
    bias, multiplier, shift
        See :func:`pack_parameters`.

    Members
    -------
    shape : tuple of int
        Of ``b``.
    k, n : int
    b_layout : BLayout
    parameters : ``(N,)`` array of :data:`PARAMETER_DTYPE`, or None
    has_multiplier : bool
        Whether int8 results can be had.
    residence : Residence or None
        Holds the memory; None once freed.

    Raises
    ------
    TypeError, ValueError
        If ``b`` is not an int8 array of matrices, or a parameter is wrong.
    OutOfDeviceMemory
        If it does not fit.
    """

    def __init__(self, b, *, device, b_layout="kn", bias=None, multiplier=None, shift=None):
        check_matrix("b", b)
        self.device = device
        self.b_layout = check_layout(b_layout)
        self.shape = b.shape
        self.k, self.n = b.shape[-2:] if self.b_layout is BLayout.KN else b.shape[:-3:-1]
        self.has_multiplier = multiplier is not None
        self.parameters = None
        if not (bias is None and multiplier is None and shift is None):
            self.parameters = pack_parameters(self.n, bias=bias, multiplier=multiplier, shift=shift)
        self.stride = round_up(b.shape[-1], device.config.bus_bytes)
        strides = row_strides(b.shape, self.stride, 1)
        nbytes = strides[0] * b.shape[0]
        parameter_offset = round_up(nbytes, device.alignment_bytes)
        parameter_bytes = 0 if self.parameters is None else self.parameters.nbytes
        self.residence = Residence(device, parameter_offset + parameter_bytes)
        self.address = self.residence.address
        self.parameter_address = self.address + parameter_offset if parameter_bytes else 0
        packed = np.zeros(nbytes, np.uint8) if device.memory is None else device.view(self.address, nbytes)
        np.ndarray(b.shape, np.int8, packed, 0, strides)[...] = b
        if device.memory is None:
            device.write(self.address, packed)
        if parameter_bytes:
            device.write(self.parameter_address, self.parameters)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.free()

    def __repr__(self):
        state = "freed" if self.freed else f"at {self.address:#010x}"
        return f"<weight {self.shape} {self.b_layout.name} {state}>"

    @property
    def freed(self):
        """Whether :meth:`free` has been called."""
        return self.residence is None

    def read_back(self):
        """What is resident, on the host.

        Returns
        -------
        int8 array of :attr:`shape`
        """
        strides = row_strides(self.shape, self.stride, 1)
        octets = self.device.read(self.address, strides[0] * self.shape[0])
        return np.ndarray(self.shape, np.int8, octets, 0, strides).copy()

    def free(self):
        """Give the memory back, once the products queued with it have run. May be called again.

        No more products can be queued with it.
        """
        self.residence = None
