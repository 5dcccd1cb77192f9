"""Products: every processing element alone, then GEMMs that grow."""

import dataclasses

import numpy as np

from systolith import golden
from systolith.errors import OutOfDeviceMemory
from systolith.matmul import matmul

from .outcome import failed, passed

__all__ = ["check_elements", "check_gemms", "check_queue"]

CORNERS = (1, -1, 127, -128)
"""Factors of the diagonal."""


def check_elements(device, effort):
    """Each processing element multiplies alone.

    A is R×R and diagonal, B is R×C: the product's element (r, c) is made by the PE in row r, column c.
    """
    rows, columns = device.config.rows, device.config.columns
    rng = np.random.default_rng(effort.seed)
    for factor in CORNERS:
        a = np.diag(np.full(rows, factor, np.int8))
        b = rng.choice(np.array([-128, -127, -1, 1, 85, -86, 127], np.int8), (rows, columns))
        result = matmul(a, b, device=device)
        wanted = golden.gemm(a, b)
        wrong = np.argwhere(result != wanted)
        if len(wrong):
            row, column = map(int, wrong[0])
            expected, got = int(wanted[row, column]), int(result[row, column])
            return failed(
                f"the PE in row {row}, column {column} made {factor} × {int(b[row, column])} {got}, "
                f"not {expected}; {len(wrong)} of {result.size} PEs are wrong",
                row=row,
                column=column,
                expected=expected,
                got=got,
                wrong=len(wrong),
            )
    return passed(f"{rows * columns} PEs, {len(CORNERS)} products each", elements=rows * columns)


def check_gemms(device, effort):
    """GEMMs from 1×1×1 to beyond a tile in every dimension, one at a time, up to the first wrong element."""
    cases = _cases(device.config, effort)
    for case in cases:
        a, b, epilogue = case.operands(effort.seed)
        outcome = case.compare(
            matmul(a, b, device=device, **case.options, **epilogue),
            golden.gemm(a, b, **case.options, **epilogue),
        )
        if outcome is not None:
            return outcome
    largest = max(cases, key=lambda case: case.batch * case.m * case.k * case.n).shape
    return passed(f"{len(cases)} GEMMs, the largest {largest}", gemms=len(cases), largest=largest)


def check_queue(device, effort):
    """The same GEMMs back to back, so that the device overlaps them; as many at once as memory holds."""
    cases = _cases(device.config, dataclasses.replace(effort, large=False))
    waiting, at_once = cases, len(cases)
    queues = 0
    while waiting:
        try:
            outcome = _queue(device, waiting[:at_once], effort.seed)
        except OutOfDeviceMemory:
            if at_once == 1:
                raise
            at_once = (at_once + 1) // 2
            continue
        if outcome is not None:
            return outcome
        waiting = waiting[at_once:]
        queues += 1
    return passed(
        f"{len(cases)} GEMMs in {'one queue' if queues == 1 else f'{queues} queues'}",
        gemms=len(cases),
        queues=queues,
    )


def _queue(device, cases, seed):
    """The outcome for the first of these GEMMs that is wrong, or None."""
    operands = [case.operands(seed) for case in cases]
    with device.queue() as queue:
        pending = [
            queue.matmul(a, b, **case.options, **epilogue)
            for case, (a, b, epilogue) in zip(cases, operands, strict=True)
        ]
    for case, (a, b, epilogue), each in zip(cases, operands, pending, strict=True):
        outcome = case.compare(each.result(), golden.gemm(a, b, **case.options, **epilogue))
        if outcome is not None:
            return outcome
    return None


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Case:
    """A GEMM: sizes, and what its descriptor asks for."""

    m: int
    k: int
    n: int
    batch: int = 1
    b_layout: str = "kn"
    out: str = "int32"
    bias: bool = False
    relu: bool = False

    @property
    def shape(self):
        batch = f"{self.batch} × " if self.batch > 1 else ""
        return f"{batch}{self.m}×{self.k}×{self.n}"

    @property
    def options(self):
        return {"b_layout": self.b_layout, "out": self.out, "relu": self.relu}

    def operands(self, seed):
        """A, B and the epilogue, over all of int8; int8 results fill their range and some saturate."""
        m, k, n = self.m, self.k, self.n
        rng = np.random.default_rng((seed, m, k, n))
        a = rng.integers(-128, 128, (self.batch, m, k), np.int8)
        b = rng.integers(-128, 128, (self.batch, *((n, k) if self.b_layout == "nk" else (k, n))), np.int8)
        spread = int(128 * 128 * k**0.5)
        epilogue = {}
        if self.bias or self.out == "int8":
            epilogue["bias"] = rng.integers(-spread, spread, n, np.int32)
        if self.out == "int8":
            epilogue["multiplier"] = multiplier = rng.integers(1, 1 << 16, n, np.uint16)
            epilogue["shift"] = np.log2(multiplier * (spread / 128)).round().astype(np.uint8)
        return a, b, epilogue

    def compare(self, result, wanted):
        """The outcome for a result that is wrong, or None."""
        wrong = np.argwhere(result != wanted)
        if not len(wrong):
            return None
        index = tuple(map(int, wrong[0]))
        expected, got = int(wanted[index]), int(result[index])
        epilogue = "".join(f", {name}" for name in ("bias", "relu") if getattr(self, name))
        return failed(
            f"{self.shape}, B {self.b_layout}, {self.out}{epilogue}: element {list(index)} is {got}, "
            f"not {expected}; {len(wrong)} of {result.size} elements are wrong",
            gemm=dataclasses.asdict(self),
            index=list(index),
            expected=expected,
            got=got,
            wrong=len(wrong),
        )


def _cases(config, effort):
    """One dimension after the other, then all of them, then every option, then the largest."""
    r, c = config.rows, config.columns
    k_sizes = sorted({1, 2, r - 1, r, r + 1, 2 * r + 3})
    n_sizes = sorted({1, 2, c - 1, c, c + 1, 2 * c + 3})
    cases = [_Case(m=1, k=k, n=1) for k in k_sizes]
    cases += [_Case(m=1, k=1, n=n) for n in n_sizes[1:]]
    cases += [_Case(m=m, k=1, n=1) for m in (2, 3, 7)]
    cases += [
        _Case(m=3, k=k, n=n, b_layout=layout)
        for k, n in zip(k_sizes, n_sizes, strict=False)
        for layout in ("kn", "nk")
    ]
    beyond = {"m": 5, "k": r + 1, "n": c + 1}
    cases += [
        _Case(**beyond, batch=batch, b_layout=layout, out=out, bias=bias, relu=relu)
        for batch in (1, 2)
        for layout in ("kn", "nk")
        for out, bias in (("int32", False), ("int32", True), ("int8", True))
        for relu in (False, True)
    ]
    if effort.large:
        m = min(config.accumulator_rows + 1, (1 << config.dimension_bits) - 1)
        cases.append(_Case(m=m, k=2 * r + 3, n=2 * c + 3, out="int8", bias=True))
    return cases
