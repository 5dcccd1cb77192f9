"""Matrices in device memory: staged for one queue, or resident."""

import weakref

import numpy as np
from systolith_hw import BLayout, Output

from .memory import round_up
from .parameters import pack_parameters

__all__ = ["Operand", "PackedWeight", "resident_layout", "row_strides"]

LAYOUTS = {"kn": BLayout.KN, "nk": BLayout.NK}
OUTPUTS = {"int32": Output.INT32, "int8": Output.INT8}


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


def check_output(out):
    """The contract's output of a name.

    Raises
    ------
    ValueError
        If there is no such output.
    """
    output = OUTPUTS.get(out)
    if output is None:
        raise ValueError(f"out must be 'int32' or 'int8', not {out!r}")
    return output


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
        See :func:`~.parameters.pack_parameters`.

    Members
    -------
    shape : tuple of int
        Of ``b``.
    k, n : int
    b_layout : BLayout
    parameters : ``(N,)`` array of :data:`~.golden.PARAMETER_DTYPE`, or None
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


def resident_layout(weight, device, b_layout):
    """The layout of a packed weight; checks that a product on this device can use it.

    Raises
    ------
    ValueError
        If it has been freed, is on another device or has another layout than the one that is asked for.
    """
    if weight.freed:
        raise ValueError("the packed weight has been freed")
    if weight.device is not device:
        raise ValueError(f"the packed weight is resident on {weight.device}, not on {device}")
    if b_layout is not None and check_layout(b_layout) is not weight.b_layout:
        raise ValueError(f"b_layout must be {weight.b_layout.name.lower()!r} as packed, not {b_layout!r}")
    return weight.b_layout
