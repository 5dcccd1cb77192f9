import random

import pytest
from hw.reference import steps
from hw.streams import simulate, small_config
from systolith_hw.config import K_MAX
from systolith_hw.loops import TileLoop

OUTPUTS = ["m_rows", "m_end", "n_end", "k_end", "k_position", "n_position", "n_final"]
FLAGS = ["first_k", "first_n", "last_k", "last_n", "last_m", "last"]


def nest(dimensions, columns, k_step, *, over_n):
    """The iterations of the loop nest, each as a dict of what the component shows of it."""
    m, k, n = dimensions["m"], dimensions["k"], dimensions["n"]
    for batch in range(dimensions["batch"]):
        for m_position, m_rows in steps(m, dimensions["m_block"]):
            for n_position, n_columns in steps(n, columns):
                for k_position, k_depth in steps(k, k_step):
                    last_k = k_position + k_depth == k
                    last_n = n_position + n_columns == n
                    last_m = m_position + m_rows == m
                    yield {
                        "m_rows": m_rows,
                        "m_end": m_rows - 1,
                        "n_end": n_columns - 1,
                        "k_end": k_depth - 1,
                        "k_position": k_position,
                        "n_position": n_position,
                        "n_final": n - 1 if over_n else 0,
                        "first_k": k_position == 0,
                        "first_n": n_position == 0,
                        "last_k": last_k,
                        "last_n": last_n,
                        "last_m": last_m,
                        "last": last_k and last_n and last_m and batch == dimensions["batch"] - 1,
                    }


def check(cases, config, k_steps, seed, *, idle, over_n=True):
    """Walk nests one after the other, pausing at random, and compare every iteration."""
    dut = TileLoop(config, k_steps=k_steps, over_n=over_n)
    rng = random.Random(seed)

    async def bench(ctx):
        for dimensions, k_step in cases:
            ctx.set(dut.dimensions, dimensions)
            ctx.set(dut.k_step, k_steps.index(k_step))
            if config.descriptor_slots == 1:
                await ctx.tick()
            ctx.set(dut.load, 1)
            ctx.set(dut.advance, rng.randrange(2))
            await ctx.tick()
            ctx.set(dut.load, 0)
            if config.descriptor_slots > 1:
                ctx.set(dut.dimensions, dict.fromkeys(dimensions, 3))
            for expected in nest(dimensions, config.columns, k_step, over_n=over_n):
                advance = False
                while not advance:
                    advance = rng.random() >= idle
                    ctx.set(dut.advance, advance)
                    sampled = [getattr(dut, name) for name in OUTPUTS + FLAGS]
                    _, _, *values = await ctx.tick().sample(*sampled)
                    shown = dict(zip(OUTPUTS + FLAGS, values, strict=True))
                    shown["k_end"] %= k_step
                    assert shown == expected

    simulate(dut, bench)


@pytest.mark.parametrize("idle", [0, 0.5])
@pytest.mark.parametrize("slots", [1, 4])
def test_sim_random(slots, idle):
    config = small_config(columns=8, descriptor_slots=slots)
    rng = random.Random(5)
    cases = []
    for _ in range(25):
        sizes = {"m": rng.randint(1, 12), "k": rng.randint(1, 40), "n": rng.randint(1, 30)}
        cases.append(
            (sizes | {"batch": rng.randint(1, 3), "m_block": rng.randint(1, 8)}, rng.choice([4, 16]))
        )
    check(cases, config, (16, 4), seed=1, idle=idle)


def test_sim_boundaries():
    """Sizes round the steps, and the largest of each."""
    config = small_config()
    one = {"m": 1, "k": 1, "n": 1, "batch": 1, "m_block": 1}
    cases = [(one | {name: size}, 4) for name in ("k", "n") for size in (3, 4, 5, 8)]
    cases += [(one | {"m": m, "m_block": 8}, 4) for m in (1, 7, 8, 9, 16)]
    cases += [(one | {"k": K_MAX}, 1 << 17), (one | {"batch": 40}, 4)]
    check(cases, config, (4, 1 << 17), seed=2, idle=0.2)


def test_sim_step_beyond_dimension():
    """A step is longer than K can be."""
    config = small_config(dimension_bits=8)
    one = {"m": 1, "k": 1, "n": 1, "batch": 1, "m_block": 1}
    cases = [(one | {"k": k}, step) for k in (1, 2, 254, 255) for step in (4, 1 << 10)]
    check(cases, config, (4, 1 << 10), seed=4, idle=0.2)


def test_sim_without_n():
    config = small_config()
    cases = [({"m": 5, "k": k, "n": 1, "batch": 2, "m_block": 2}, 4) for k in (1, 4, 9)]
    check(cases, config, (4,), seed=3, idle=0.2, over_n=False)
