"""What the accelerator's units should do with a GEMM, as plain Python generators."""

import dataclasses
import itertools
import random

from systolith_hw.descriptor import BLayout


def ceil_div(value, divisor):
    return -(-value // divisor)


def steps(size, step):
    """Cut a dimension: pairs of position and length."""
    return [(position, min(step, size - position)) for position in range(0, size, step)]


@dataclasses.dataclass(kw_only=True)
class Gemm:
    """The fields of a descriptor, and its slot."""

    m: int
    k: int
    n: int
    batch: int = 1
    m_block: int
    b_layout: int = BLayout.KN
    output: int = 0
    parameters: int = 0
    relu: int = 0
    a_address: int = 0
    b_address: int = 0
    d_address: int = 0
    parameter_address: int = 0
    a_stride: int = 0
    b_stride: int = 0
    d_stride: int = 0
    a_batch_stride: int = 0
    b_batch_stride: int = 0
    d_batch_stride: int = 0
    slot: int = 0

    def job(self, layout):
        """What one unit gets of it."""
        return layout.values(vars(self), self.slot)

    def blocks(self):
        """Batch index, position and rows of every block of M, in order."""
        for batch in range(self.batch):
            for position, rows in steps(self.m, self.m_block):
                yield batch, position, rows


def random_gemm(rng, config, **fixed):
    """A GEMM of a few tiles with edges, random addresses, and strides of any size."""
    bus = config.bus_bytes

    def address():
        return bus * rng.randrange((1 << 32) // bus)

    def size(unit):
        return rng.choice([1, unit - 1, unit, unit + 1, 2 * unit, rng.randint(1, 3 * unit)])

    k = fixed.get("k") or size(rng.choice([config.rows, config.line_bytes * config.burst_lines]))
    m_block = rng.randint(1, config.max_m_block(k))
    values = {
        "m": rng.choice([1, m_block, rng.randint(1, 3 * m_block)]),
        "k": k,
        "n": size(config.columns),
        "batch": rng.choice([1, 1, 2, 3]),
        "m_block": m_block,
        "b_layout": rng.choice(list(BLayout)),
        "output": rng.randrange(2),
        "parameters": rng.randrange(2),
        "relu": rng.randrange(2),
        "slot": rng.randrange(config.descriptor_slots),
    }
    for name in ("a", "b", "d"):
        for suffix in ("address", "stride", "batch_stride"):
            values[f"{name}_{suffix}"] = address()
    values["parameter_address"] = address()
    return Gemm(**values | fixed)


@dataclasses.dataclass(kw_only=True)
class Fetch:
    """A panel: rows of some bytes, from addresses, each of them cut into buffer lines."""

    addresses: list
    bytes: int
    line: int = 0
    later_sweep: int = 0
    block: int
    slot: int
    kind: str = "operand"

    def lines(self, config):
        return ceil_div(self.bytes, config.line_bytes)


def a_panels(gemm, config, first_block=0):
    """The panels of A: every block once, a group of lines along K at a time."""
    group = config.burst_lines * config.line_bytes
    for block, (batch, position, rows) in enumerate(gemm.blocks(), first_block):
        for k, depth in steps(gemm.k, group):
            start = gemm.a_address + batch * gemm.a_batch_stride + position * gemm.a_stride + k
            yield Fetch(
                addresses=[start + row * gemm.a_stride for row in range(rows)],
                bytes=depth,
                line=k // config.line_bytes,
                block=block,
                slot=gemm.slot,
            )


def parameter_panel(gemm, config, n, **order):
    """The line or lines of the parameter array in which those of a tile lie."""
    size = max(8 * config.columns, config.line_bytes)
    start = 8 * n // size * size
    return Fetch(
        addresses=[gemm.parameter_address + start],
        bytes=min(size, 8 * gemm.n - start),
        kind="parameters",
        slot=gemm.slot,
        **order,
    )


def b_panels(gemm, config, first_block=0):
    """The panels of B and of the parameters: for every block of M all of B, tile by tile of N."""
    by_column = gemm.b_layout == BLayout.NK
    step = config.burst_lines * config.line_bytes if by_column else config.rows
    for block, (batch, _, _) in enumerate(gemm.blocks(), first_block):
        base = gemm.b_address + batch * gemm.b_batch_stride
        for n, columns in steps(gemm.n, config.columns):
            order = {"later_sweep": int(n > 0), "block": block}
            if gemm.parameters:
                yield parameter_panel(gemm, config, n, **order)
            for k, depth in steps(gemm.k, step):
                if by_column:
                    addresses = [base + (n + column) * gemm.b_stride + k for column in range(columns)]
                    size = depth
                else:
                    fetched = max(config.bus_bytes, config.columns)
                    line = n // fetched * fetched
                    addresses = [base + (k + row) * gemm.b_stride + line for row in range(depth)]
                    size = min(fetched, gemm.n - line)
                order["line"] = k // config.line_bytes
                yield Fetch(addresses=addresses, bytes=size, slot=gemm.slot, **order)


def row_requests(panels, config, *, target, depth, first_line=0):
    """The row requests of panels, each with its order, as dicts of their fields."""
    place = first_line
    block = None
    for panel in panels:
        order = {
            "line": panel.line,
            "later_sweep": panel.later_sweep,
            "begins_block": int(panel.block != block),
        }
        block = panel.block
        rows = len(panel.addresses)
        lines = config.parameter_lines if panel.kind == "parameters" else panel.lines(config)
        for row, address in enumerate(panel.addresses):
            yield (
                {
                    "address": address % (1 << 32),
                    "beats": ceil_div(panel.bytes, config.bus_bytes),
                    "target": target,
                    "line": (place + row) % depth,
                    "stride": rows,
                    "slot": panel.slot,
                },
                order,
            )
        place += rows * lines


class Credits:
    """A buffer's free lines, as the loaders see them; whatever is in use is released at random."""

    def __init__(self, dut, depth, seed):
        self.dut, self.depth, self.free = dut, depth, depth
        self.random = random.Random(seed)
        self.reserved = 0

    async def run(self, ctx):
        while True:
            ctx.set(self.dut.free, self.free)
            _, _, reserve = await ctx.tick().sample(self.dut.reserve)
            assert reserve <= self.free, "more lines reserved than are free"
            self.reserved += reserve
            self.free -= reserve
            self.free += self.random.choice([0, 0, 1, 2, 5]) if self.free < self.depth else 0
            self.free = min(self.free, self.depth)


def passes(gemm, config):
    """Every pass of a GEMM: batch, block (position, rows), tile of N, step along K."""
    for (batch, position, rows), (n, columns), (k, depth) in itertools.product(
        gemm.blocks(), steps(gemm.n, config.columns), steps(gemm.k, config.rows)
    ):
        yield batch, (position, rows), (n, columns), (k, depth)
