"""What a GEMM is, in Python integers: shares no code with what it checks."""

import numpy as np


def gemm(a, b, *, b_layout="kn", bias=None, multiplier=None, shift=None, relu=False, out="int32"):
    """``(…, M, N)`` int32 or int8, of ``(…, M, K)`` and ``(…, K, N)`` or ``(…, N, K)`` int8."""
    subscripts = "...mk,...kn->...mn" if b_layout == "kn" else "...mk,...nk->...mn"
    total = np.einsum(subscripts, a.astype(np.int64), b.astype(np.int64)).astype(object)
    if bias is not None:
        total = total + np.asarray(bias).astype(object)
    low, high, dtype = -(2**31), 2**31 - 1, np.int32
    if out == "int8":
        low, high, dtype = -128, 127, np.int8
        n = total.shape[-1]
        multiplier = np.broadcast_to(np.asarray(multiplier).astype(object), (n,))
        shift = [int(s) for s in np.broadcast_to(np.asarray(shift), (n,))]
        rounding = np.array([1 << s >> 1 for s in shift], object)
        scaled = total * multiplier + rounding
        total = np.stack([scaled[..., i] >> shift[i] for i in range(n)], -1)
    result = np.clip(total, max(low, 0) if relu else low, high)
    return result.astype(dtype)


def parameters(bias, multiplier, shift):
    """Epilogue parameters, 8 bytes a channel, as the contract lays them out."""
    records = [
        int(b).to_bytes(4, "little", signed=True) + int(m).to_bytes(2, "little") + bytes([int(s), 0])
        for b, m, s in zip(bias, multiplier, shift, strict=True)
    ]
    return np.frombuffer(b"".join(records), np.uint8)
