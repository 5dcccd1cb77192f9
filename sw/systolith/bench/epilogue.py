"""Random epilogues of products whose operands are random over all of int8."""

import numpy as np

__all__ = ["random_epilogue"]


def random_epilogue(generator, *, k, n):
    """Bias, multiplier and shift with which the results fill int8 and some saturate.

    Parameters
    ----------
    generator : Generator
    k, n : int

    Returns
    -------
    dict of str to ``(n,)`` array
        ``bias`` int32, ``multiplier`` uint16 and ``shift`` uint8.
    """
    spread = int(128 * 128 * k**0.5)
    multiplier = generator.integers(1, 1 << 16, n, np.uint16)
    shift = np.maximum(0, np.log2(multiplier * (spread / 128.0)).round()).astype(np.uint8)
    bias = generator.integers(-spread, spread, n, np.int32)
    return {"bias": bias, "multiplier": multiplier, "shift": shift}
