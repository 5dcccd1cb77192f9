import pytest
from amaranth.hdl import Module, Signal
from hw.streams import simulate
from systolith_hw.counting import next_count


@pytest.mark.parametrize("bits", [1, 2, 5])
def test_sim_every_value(bits):
    """One more, modulo what there is room for; or the value, of which there may be more bits."""
    m = Module()
    count, value, loads, following = Signal(bits), Signal(bits + 1), Signal(), Signal(bits)
    unused = Signal()
    m.d.sync += unused.eq(1)
    m.d.comb += following.eq(next_count(count, loads=loads, value=value))
    modulus = 1 << bits

    async def bench(ctx):
        for before in range(modulus):
            ctx.set(count, before)
            for given in range(2 * modulus):
                ctx.set(value, given)
                ctx.set(loads, 0)
                assert ctx.get(following) == (before + 1) % modulus
                ctx.set(loads, 1)
                assert ctx.get(following) == given % modulus

    simulate(m, bench)
