"""Random queues of descriptors, and the memories that they meet."""

import dataclasses
import itertools
import random
from fractions import Fraction

from systolith_hw import Descriptor
from systolith_hw.config import PARAMETER_BYTES
from systolith_hw.descriptor import SLOT_BYTES, BLayout, Output

from systolith_sim.timing import MemoryTiming

__all__ = ["MEMORY_BYTES", "Case", "random_cases"]

MEMORY_BYTES = 1 << 28
"""Device memory that :func:`random_cases` uses at most, where a configuration's addresses reach so far."""

QUEUE_MAX = 6
"""Descriptors in a queue at most."""

GAP_BYTES = 1 << 16
"""Between operands at most."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Case:
    """A queue of descriptors, when each is submitted, and the memory that it meets.

    ``available`` is as for :func:`~.prediction.predict_completions`. Doorbells are two cycles apart or more:
    that is how long a register takes to be written.
    """

    descriptors: tuple
    timing: MemoryTiming
    available: tuple | None = None
    ring_base: int = 0


def random_cases(config, *, seed, largest=600, budget_cycles=200_000):
    """Endless random cases for a configuration: shapes, layouts, outputs, queues, doorbells, memories.

    Parameters
    ----------
    config : ArrayConfig
    seed : int
    largest : int
        M, K and N are up to this; small ones are as likely as large ones.
    budget_cycles : int
        About how many cycles a queue may take at the most.

    Yields
    ------
    Case
    """
    draw = random.Random(f"{seed} {config}")  # noqa: S311  not for secrets
    while True:
        count = draw.choice((1, 1, 2, 2, 3, 4, 5, QUEUE_MAX))
        timing = _random_timing(draw)
        slowness = max(1 / timing.read_bandwidth, 1)
        budget = budget_cycles / count / slowness
        yield Case(
            descriptors=tuple(_random_descriptor(draw, config, largest, budget) for _ in range(count)),
            timing=timing,
            available=_random_doorbells(draw, count),
            ring_base=draw.randrange(_ring_bytes(config) // SLOT_BYTES - count + 1) * SLOT_BYTES,
        )


def _random_doorbells(draw, count):
    """All at once, or with pauses in which the device may or may not become idle."""
    pauses = (0,) if draw.random() < 0.5 else (0, 2, draw.randint(2, 100), draw.randint(2, 10_000))
    return tuple(itertools.accumulate((draw.choice(pauses) for _ in range(count - 1)), initial=0))


def _random_timing(draw):
    def bandwidth():
        n = draw.randint(1, 9)
        return draw.choice((Fraction(1), Fraction(1), Fraction(n, n + draw.randint(0, 2 * n))))

    def latency():
        return draw.choice((1, 2, draw.randint(1, 10), draw.randint(1, 100)))

    return MemoryTiming(
        latency_cycles=latency(),
        write_latency_cycles=latency(),
        read_bandwidth=bandwidth(),
        write_bandwidth=bandwidth(),
    )


def _random_size(draw, config, largest):
    bound = draw.choice((4, 2 * config.rows, 4 * config.columns, largest))
    return draw.randint(1, min(bound, largest))


def _random_descriptor(draw, config, largest, budget):
    """A product that takes no longer than it may; one in twenty is rejected."""
    largest = min(largest, (1 << config.dimension_bits) - 1)
    for attempt in itertools.count():
        m, k, n = (_random_size(draw, config, max(1, largest >> attempt // 8)) for _ in range(3))
        batch = draw.choice((1, 1, 1, 2, 3, 5))
        most = config.max_m_block(k)
        if not most:
            continue
        m_block = draw.choice((most, min(most, m), draw.randint(1, most)))
        if _about_cycles(config, m, k, n, batch, m_block) >= budget:
            continue
        layout = draw.choice(list(BLayout))
        output = draw.choice(list(Output))
        operands = _random_operands(draw, config, m, k, n, batch, layout, output)
        if operands is not None:
            break
    descriptor = Descriptor(
        m=m,
        k=k,
        n=n,
        batch=batch,
        m_block=m_block,
        b_layout=layout,
        output=output,
        parameters=output is Output.INT8 or draw.random() < 0.5,
        relu=draw.random() < 0.5,
        **operands,
    )
    if draw.random() < 0.05:
        return dataclasses.replace(descriptor, m_block=config.accumulator_rows + 1)
    return descriptor


def _about_cycles(config, m, k, n, batch, m_block):
    bus = config.bus_bytes
    blocks = -(-m // m_block)
    tiles = -(-k // config.rows) * -(-n // config.columns)
    passes = tiles * (m + blocks * max(config.rows, config.columns))
    return batch * (passes + blocks * n * (k + bus) // bus + m * (k + 4 * n) // bus)


def _random_operands(draw, config, m, k, n, batch, layout, output):
    """The descriptor's addresses and strides, by name; None if the operands do not fit the memory."""
    bus = config.bus_bytes

    def stride(nbytes):
        return (-(-nbytes // bus) + draw.choice((0, 0, 1, draw.randrange(70)))) * bus

    b_rows, b_columns = (k, n) if layout is BLayout.KN else (n, k)
    result = 1 if output is Output.INT8 else 4
    strides = {"a": stride(k), "b": stride(b_columns), "d": stride(result * n)}
    sizes = {"a": m * strides["a"], "b": b_rows * strides["b"], "d": m * strides["d"]}
    batch_strides = {name: draw.choice((size, size, size + 8 * bus)) for name, size in sizes.items()}
    batch_strides["b"] *= draw.choice((0, 1))
    spans = {name: (batch - 1) * batch_strides[name] + size for name, size in sizes.items()}
    spans["parameter"] = -(-PARAMETER_BYTES * n // bus) * bus
    addresses = _random_addresses(draw, config, spans)
    return addresses and {
        **{f"{name}_address": address for name, address in addresses.items()},
        **{f"{name}_stride": value for name, value in strides.items()},
        **{f"{name}_batch_stride": value for name, value in batch_strides.items()},
    }


def _random_addresses(draw, config, spans):
    """Where operands of these sizes are: behind the ring, in any order, apart; None if they do not fit."""
    free = _memory_bytes(config) - _ring_bytes(config) - sum(spans.values())
    if free < 0:
        return None
    address, addresses = _ring_bytes(config), {}
    for name in draw.sample(sorted(spans), len(spans)):
        address += draw.randrange(0, min(free // len(spans), GAP_BYTES) + 1, config.bus_bytes)
        addresses[name] = address
        address += spans[name]
    return addresses


def _memory_bytes(config):
    """Device memory that this configuration reaches."""
    return min(MEMORY_BYTES, 1 << config.address_bits)


def _ring_bytes(config):
    """What of it, at its begin, is there for the ring."""
    return max(_memory_bytes(config) >> 8, QUEUE_MAX * SLOT_BYTES)
