"""How close queues of GEMMs come to the roofline."""

import dataclasses

import numpy as np
from systolith_hw import BLayout, Counters, Output

from systolith.golden import product, requantize
from systolith.operands import row_strides
from systolith.parameters import pack_parameters
from systolith.records import add_counters

from .epilogue import random_epilogue
from .gemm_cases import GemmCase

__all__ = ["QUEUE", "GemmResult", "run_gemm_case"]

QUEUE = 8
"""Descriptors in a queue."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class GemmResult:
    """What a queue took.

    Parameters
    ----------
    case : GemmCase
    cycles : int
        Of the whole queue, from the doorbell to the last completion.
    roofline_cycles : int
        Likewise.
    counters : Counters
        Where the cycles went.
    each : tuple of int
        Cycles charged to each descriptor.
    mismatches : int
        Elements of D that are wrong.
    elements : int
        Processing elements of the array.
    """

    case: GemmCase
    cycles: int
    roofline_cycles: int
    counters: Counters
    each: tuple
    mismatches: int
    elements: int

    @property
    def ratio(self):
        """Cycles over the fewest possible."""
        return self.cycles / self.roofline_cycles

    @property
    def utilization(self):
        """Multiply-accumulates over those that the array could do in the cycles."""
        case = self.case
        return QUEUE * case.batch * case.m * case.k * case.n / (self.cycles * self.elements)

    @property
    def passed(self):
        """Whether the floor holds and every result is right."""
        return self.ratio <= self.case.floor and not self.mismatches

    def as_dict(self):
        """The result as JSON can hold it."""
        case = self.case
        return {
            "kind": case.kind,
            "name": case.name,
            "batch": case.batch,
            "m": case.m,
            "k": case.k,
            "n": case.n,
            "b_layout": case.b_layout.name.lower(),
            "out": case.output.name.lower(),
            "cycles": self.cycles,
            "roofline_cycles": self.roofline_cycles,
            "ratio": self.ratio,
            "floor": case.floor,
            "utilization": self.utilization,
            "passed": self.passed,
            "mismatches": self.mismatches,
            "counters": self.counters.parts,
            "each": list(self.each),
        }


def run_gemm_case(device, case, *, seed=0):
    """Run a queue of eight on operands in device memory, and check every result.

    Parameters
    ----------
    device : Device
        Whose memory the host can see.
    case : GemmCase
    seed : int
        Of the operands.

    Returns
    -------
    GemmResult

    Raises
    ------
    DeviceError
        If the device fails.
    """
    config = device.config
    generator = np.random.default_rng(seed)
    shape = case.descriptor(config)
    kn = case.b_layout is BLayout.KN
    b_rows, b_columns = (case.k, case.n) if kn else (case.n, case.k)
    parameters = pack_parameters(case.n, **random_epilogue(generator, k=case.k, n=case.n))
    wanted, buffers, descriptors = [], [], []

    def place(rows, columns, stride, dtype):
        """A buffer and the matrices in it."""
        dtype = np.dtype(dtype)
        full = (case.batch, rows, columns)
        buffer = device.allocate(case.batch * rows * stride)
        buffers.append(buffer)
        strides = row_strides(full, stride, dtype.itemsize)
        memory = device.view(buffer.address, case.batch * rows * stride)
        return buffer.address, np.ndarray(full, dtype, memory, 0, strides)

    # The same weights for all, as in a model that runs over several inputs; other inputs for each.
    b_address, b = place(b_rows, b_columns, shape.b_stride, np.int8)
    b[...] = generator.integers(-128, 128, b.shape, np.int8)
    parameter_buffer = device.allocate(parameters.nbytes)
    buffers.append(parameter_buffer)
    device.write(parameter_buffer.address, parameters)
    results = []
    for _ in range(QUEUE):
        a_address, a = place(case.m, case.k, shape.a_stride, np.int8)
        a[...] = generator.integers(-128, 128, a.shape, np.int8)
        kind = np.int8 if case.output is Output.INT8 else "<i4"
        d_address, d = place(case.m, case.n, shape.d_stride, kind)
        # What is not written differs from what is wanted, nearly everywhere.
        d[...] = 85
        sums = product(a, b, b_layout="kn" if kn else "nk")
        if case.output is Output.INT8:
            sums = requantize(sums, parameters["bias"], parameters["multiplier"], parameters["shift"])
        wanted.append(sums)
        results.append(d)
        descriptors.append(
            case.descriptor(
                config, a=a_address, b=b_address, d=d_address, parameters=parameter_buffer.address
            )
        )
    try:
        device.submit(descriptors)
        completions = device.wait()
        mismatches = sum(int((d != sums).sum()) for d, sums in zip(results, wanted, strict=True))
    finally:
        for buffer in buffers:
            device.free(buffer)
    counters = add_counters(completion.counters for completion in completions)
    return GemmResult(
        case=case,
        cycles=counters.total,
        roofline_cycles=sum(descriptor.roofline_cycles(config) for descriptor in descriptors),
        counters=counters,
        each=tuple(completion.counters.total for completion in completions),
        mismatches=mismatches,
        elements=config.rows * config.columns,
    )
