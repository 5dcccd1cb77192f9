"""Matrix products of NumPy arrays, run by a device."""

from .opening import check_device
from .operands import PackedWeight
from .queue import Queue

__all__ = ["matmul", "pack"]


def pack(b, *, device, b_layout="kn", bias=None, multiplier=None, shift=None):
    """Put B into device memory once, for any number of products: a :class:`PackedWeight`."""
    check_device(device)
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
        If an operand is not an int8 array, or ``device`` is not a :class:`Device`.
    ValueError
        If sizes do not fit each other, one is zero, K is beyond ``K_MAX``, or an option is wrong.
    DeviceError
        If the device fails; see :mod:`systolith.errors`.
    """
    if device is None:
        if not isinstance(b, PackedWeight):
            raise TypeError("device must be given unless b is a PackedWeight")
        device = b.device
    check_device(device)
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
