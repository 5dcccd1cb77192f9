"""Random GEMMs in device memory, and what they should give in Python integers."""

import dataclasses

import numpy as np
from systolith_hw.config import PARAMETER_BYTES
from systolith_hw.descriptor import BLayout, Descriptor, Output


@dataclasses.dataclass(kw_only=True)
class Gemm:
    """One GEMM: its descriptor and its operands, which lie in memory."""

    descriptor: Descriptor
    a: np.ndarray
    b: np.ndarray
    parameters: list | None

    def row_bytes(self):
        """The rows of D that shall be written: address and contents of each."""
        d = self.descriptor
        values = reference(self)
        for batch in range(d.batch):
            for row in range(d.m):
                address = d.d_address + batch * d.d_batch_stride + row * d.d_stride
                width = 1 if d.output is Output.INT8 else 4
                yield (
                    address,
                    b"".join(value.to_bytes(width, "little", signed=True) for value in values[batch][row]),
                )


def reference(gemm):
    """D as nested lists of Python integers."""
    d = gemm.descriptor
    b = gemm.b.transpose(0, 2, 1) if d.b_layout is BLayout.NK else gemm.b
    sums = np.matmul(gemm.a.astype(np.int64), b.astype(np.int64))
    sums = np.broadcast_to(sums, (d.batch, d.m, d.n)).tolist()
    parameters = gemm.parameters or [(0, 1, 0)] * d.n
    int8 = d.output is Output.INT8
    return [
        [
            [epilogue(value, *of_column, int8=int8, relu=d.relu)
             for value, of_column in zip(row, parameters, strict=True)]
            for row in matrix
        ]
        for matrix in sums
    ]  # fmt: skip


def epilogue(value, bias, multiplier, shift, *, int8, relu):
    value += bias
    low, high = -(2**31), 2**31 - 1
    if int8:
        low, high = -128, 127
        value = value * multiplier
        if shift:
            value = (value + 2 ** (shift - 1)) // 2**shift
    return min(max(value, 0 if relu else low), high)


def random_gemm(rng, memory, config, **fixed):
    """Make up a GEMM, its operands in memory, its results' places with guard bytes round every row.

    Parameters
    ----------
    rng : random.Random
    memory : Memory
    config : ArrayConfig
    **fixed
        Fields of the descriptor that are not left to chance.
    """
    bus = config.bus_bytes
    m, n = fixed.pop("m", rng.randrange(1, 15)), fixed.pop("n", rng.randrange(1, 15))
    k = fixed.pop("k", rng.choice([rng.randrange(1, 41), rng.randrange(1, 9), 4 * rng.randrange(1, 8)]))
    batch = fixed.pop("batch", rng.choice([1, 1, 2, 3]))
    layout = fixed.pop("b_layout", rng.choice(list(BLayout)))
    output = fixed.pop("output", rng.choice(list(Output)))
    has_parameters = fixed.pop("parameters", output is Output.INT8 or rng.random() < 0.5)

    def place(rows, row_bytes, *, may_repeat):
        """Row stride, batch stride and number of different matrices."""
        stride = row_bytes + -row_bytes % bus + bus * rng.choice([0, 0, 1, 3])
        if may_repeat and rng.random() < 0.25:
            return stride, 0, 1
        return stride, rows * stride + bus * rng.randrange(3), batch

    b_rows, b_bytes = (k, n) if layout is BLayout.KN else (n, k)
    a_stride, a_batch_stride, a_count = place(m, k, may_repeat=True)
    b_stride, b_batch_stride, b_count = place(b_rows, b_bytes, may_repeat=True)
    width = 1 if output is Output.INT8 else 4
    d_stride, d_batch_stride, _ = place(m, width * n, may_repeat=False)
    a = random_operand(rng, (a_count, m, k))
    b = random_operand(rng, (b_count, b_rows, b_bytes))

    def store(matrices, stride, batch_stride):
        address = memory.allocate((len(matrices) - 1) * batch_stride + matrices.shape[1] * stride)
        for number, matrix in enumerate(matrices):
            for row, values in enumerate(matrix):
                place = address + number * batch_stride + row * stride
                memory.store(place, values.tobytes())
                memory.allow_reads(place, len(values))
        return address

    a_address = store(a, a_stride, a_batch_stride)
    b_address = store(b, b_stride, b_batch_stride)
    parameters, parameter_address = None, 0
    if has_parameters:
        parameters = [random_parameters(rng) for _ in range(n)]
        parameter_address = memory.allocate(PARAMETER_BYTES * n + -PARAMETER_BYTES * n % bus)
        memory.store(parameter_address, b"".join(pack_parameters(*values) for values in parameters))
        memory.allow_reads(parameter_address, PARAMETER_BYTES * n)
    largest = min(config.accumulator_rows, config.a_buffer_lines // -(-k // config.line_bytes))
    fields = {
        "m": m,
        "k": k,
        "n": n,
        "batch": batch,
        "m_block": rng.choice([1, largest, rng.randrange(1, largest + 1)]),
        "b_layout": layout,
        "output": output,
        "parameters": has_parameters,
        "relu": rng.random() < 0.3,
        "interrupt": rng.random() < 0.3,
        "a_address": a_address,
        "b_address": b_address,
        "d_address": memory.allocate(batch * d_batch_stride),
        "parameter_address": parameter_address,
        "a_stride": a_stride,
        "b_stride": b_stride,
        "d_stride": d_stride,
        "a_batch_stride": a_batch_stride,
        "b_batch_stride": b_batch_stride,
        "d_batch_stride": d_batch_stride,
        "tag": rng.getrandbits(32),
    }
    descriptor = Descriptor(**(fields | fixed))
    gemm = Gemm(descriptor=descriptor, a=a, b=b, parameters=parameters)
    for address, contents in gemm.row_bytes():
        memory.allow_writes(address, len(contents))
    return gemm


def random_operand(rng, shape):
    """Random int8, or −128 and other extremes only."""
    generator = np.random.default_rng(rng.getrandbits(32))
    if rng.random() < 0.2:
        return generator.choice(np.array([-128, -128, -127, 127, 0], np.int8), shape)
    return generator.integers(-128, 128, shape, np.int8)


def random_parameters(rng):
    """Bias, multiplier and shift of one output channel."""
    bias = rng.choice([0, rng.randrange(-(2**31), 2**31), rng.randrange(-9999, 9999), -(2**31), 2**31 - 1])
    multiplier = rng.choice([0, 1, 65535, rng.randrange(1 << 16)])
    shift = rng.choice([0, 1, 63, rng.randrange(64), rng.randrange(20, 32)])
    return bias, multiplier, shift


def pack_parameters(bias, multiplier, shift):
    return bias.to_bytes(4, "little", signed=True) + multiplier.to_bytes(2, "little") + bytes([shift, 0])
