"""How close queues of GEMMs come to the roofline."""

import dataclasses

import numpy as np
from systolith_hw import BLayout, Counters, Descriptor, Output

from systolith.golden import product, requantize
from systolith.memory import round_up
from systolith.operands import pack_parameters, row_strides
from systolith.records import add_counters
from systolith.tiling import m_block

from .epilogue import random_epilogue

__all__ = ["QUEUE", "GemmCase", "GemmResult", "gemm_cases", "longest_k", "run_gemm_case"]

QUEUE = 8
"""Descriptors in a queue."""

LINEAR = (
    ("minilm", ((384, 384), (384, 1536), (1536, 384))),
    ("smollm2", ((576, 576), (576, 192), (576, 1536), (1536, 576))),
)
"""K and N of the models' linear layers."""

ATTENTION_MN = ((32, 32), (64, 64), (128, 128), (32, 128), (128, 32))
ATTENTION_K = 64
HEADS = 9
"""SmolLM2-135M's."""

FLOORS = {"linear": 1.05, "attention": 1.15, "decode": 1.10}
"""Most that cycles ÷ roofline may be."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class GemmCase:
    """One queue of equal GEMMs.

    Parameters
    ----------
    kind : str
        A key of the floors: ``"linear"``, ``"attention"`` or ``"decode"``.
    name : str
        Whose shape it is.
    m, k, n, batch : int
    b_layout : BLayout
    output : Output
    """

    kind: str
    name: str
    m: int
    k: int
    n: int
    batch: int = 1
    b_layout: BLayout
    output: Output

    @property
    def floor(self):
        """Most that cycles ÷ roofline may be."""
        return FLOORS[self.kind]

    def output_bound(self, config):
        """Whether the output path is itself the roofline."""
        whole = self.descriptor(config)
        element = 1 if self.output is Output.INT8 else 4
        written = -(-self.batch * self.m * self.n * element // config.bus_bytes)
        return written >= whole.roofline_cycles(config)

    def descriptor(self, config, *, a=0, b=0, d=0, parameters=0):
        """The descriptor for operands at these addresses, rows padded to the bus.

        Returns
        -------
        Descriptor
        """
        bus = config.bus_bytes
        a_stride = round_up(self.k, bus)
        b_rows, b_columns = (self.k, self.n) if self.b_layout is BLayout.KN else (self.n, self.k)
        b_stride = round_up(b_columns, bus)
        d_stride = round_up(self.n * (1 if self.output is Output.INT8 else 4), bus)
        batched = self.batch > 1
        return Descriptor(
            m=self.m,
            k=self.k,
            n=self.n,
            batch=self.batch,
            m_block=m_block(self.m, self.k, config),
            b_layout=self.b_layout,
            output=self.output,
            parameters=self.output is Output.INT8,
            a_address=a,
            b_address=b,
            d_address=d,
            parameter_address=parameters,
            a_stride=a_stride,
            b_stride=b_stride,
            d_stride=d_stride,
            a_batch_stride=self.m * a_stride * batched,
            b_batch_stride=b_rows * b_stride * batched,
            d_batch_stride=self.m * d_stride * batched,
        )


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


def gemm_cases(config, *, kinds=tuple(FLOORS)):
    """The shapes of MiniLM and SmolLM2-135M for which the output path is not itself the roofline.

    Parameters
    ----------
    config : ArrayConfig
    kinds : collection of str

    Yields
    ------
    GemmCase
    """
    for case in _cases():
        if case.kind in kinds and not case.output_bound(config):
            yield case


def longest_k(kinds):
    """The largest K of the cases of these kinds."""
    return max(case.k for case in _cases() if case.kind in kinds)


def _cases():
    outputs = (Output.INT8, Output.INT32)
    for name, shapes in LINEAR:
        for k, n in shapes:
            for m, output in ((64, Output.INT8), (64, Output.INT32), (128, Output.INT8)):
                yield GemmCase(kind="linear", name=name, m=m, k=k, n=n, b_layout=BLayout.NK, output=output)
    # One with the other layout: its weights take another way into the array.
    for output in outputs:
        yield GemmCase(kind="linear", name="minilm", m=64, k=384, n=384, b_layout=BLayout.KN, output=output)
    for m, n in ATTENTION_MN:
        for b_layout in (BLayout.NK, BLayout.KN):
            for output in outputs:
                yield GemmCase(
                    kind="attention",
                    name="smollm2",
                    m=m,
                    k=ATTENTION_K,
                    n=n,
                    batch=HEADS,
                    b_layout=b_layout,
                    output=output,
                )
    for name, shapes in LINEAR:
        for k, n in shapes:
            for b_layout in (BLayout.NK, BLayout.KN):
                for output in outputs:
                    yield GemmCase(kind="decode", name=name, m=1, k=k, n=n, b_layout=b_layout, output=output)


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
