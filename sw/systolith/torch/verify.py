"""Comparison of every device product with the golden arithmetic, as it runs."""

import dataclasses
import time

import numpy as np

from systolith.golden import gemm

__all__ = ["Mismatch", "Verifier"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Mismatch:
    """A product that differs from the golden arithmetic.

    Parameters
    ----------
    label : str
        Which GEMM.
    index : tuple of int
        Its first wrong element: batch dimensions, row, column.
    got, wanted : int
        What the device and the golden arithmetic put there.
    elements : int
        How many elements are wrong.
    """

    label: str
    index: tuple[int, ...]
    got: int
    wanted: int
    elements: int

    def __str__(self):
        return (
            f"{self.label}: element {list(self.index)} is {self.got}, not {self.wanted} "
            f"({self.elements} elements differ)"
        )


class Verifier:
    """Computes every product a second time with :func:`systolith.golden.gemm` and compares bit for bit.

    Members
    -------
    checked : int
        Products compared.
    macs : int
        Their multiply-accumulates: those of the device's records if none was left out, however many parts a
        product was run in.
    mismatches : list of Mismatch
        One for every product that differed.
    seconds : float
        Time that the comparisons took.
    """

    def __init__(self):
        self.checked = 0
        self.macs = 0
        self.mismatches = []
        self.seconds = 0.0

    @property
    def bit_exact(self):
        """Whether products were compared and all were equal."""
        return self.checked > 0 and not self.mismatches

    def check(self, label, a, b, b_layout, result):
        """Compare one product.

        Parameters
        ----------
        label : str
        a : ndarray
            (…, M, K) int8.
        b : ndarray
            (…, K, N) int8, or (…, N, K) int8 with ``b_layout="nk"``.
        b_layout : str
        result : ndarray
            (…, M, N) int32, what the device returned.
        """
        start = time.perf_counter()
        self._check(label, a, b, b_layout, result)
        self.seconds += time.perf_counter() - start

    def _check(self, label, a, b, b_layout, result):
        wanted = gemm(a, b, b_layout=b_layout)
        self.checked += 1
        self.macs += wanted.size * a.shape[-1]
        if wanted.shape == result.shape and np.array_equal(wanted, result):
            return
        wrong = np.argwhere(wanted != result)
        index = tuple(int(position) for position in wrong[0])
        self.mismatches.append(
            Mismatch(
                label=label,
                index=index,
                got=int(result[index]),
                wanted=int(wanted[index]),
                elements=len(wrong),
            )
        )
