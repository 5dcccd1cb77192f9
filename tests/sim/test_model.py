"""The accelerator itself: built, started, and looked into."""

import pytest
import pyverilator
from systolith_hw import ArrayConfig
from systolith_hw.registers import REGISTERS, identity
from systolith_sim import Variant, build_model, open_simulator

SMALL = ArrayConfig(rows=2, columns=2, a_buffer_lines=32, b_buffer_lines=64, accumulator_rows=16)


@pytest.mark.slow
def test_open_simulator(cache):
    """It answers as the configuration says, and works on from the cache without being built again."""
    told = []
    arguments = {"memory_bytes": 4096, "variant": Variant.DEBUG, "cache": cache, "progress": told.append}
    with open_simulator(SMALL, **arguments) as simulator:
        answers = {name: simulator.read_register(REGISTERS[name].offset) for name in identity(SMALL)}
        assert answers == identity(SMALL)
        low = simulator.read_register(REGISTERS["cycles_low"].offset)
        # The counter is read in the first of the two cycles of the transaction.
        assert simulator.cycles - 3 <= low <= simulator.cycles
    assert f"building the debug simulation model of {SMALL}" in told
    told.clear()
    with open_simulator(SMALL, **arguments):
        assert told == []


@pytest.mark.slow
def test_pyverilator_pe(cache):
    """pyverilator shows the registers inside the processing elements."""
    sim = pyverilator.PyVerilator(
        str(build_model(SMALL, lowering="stock", variant=Variant.DEBUG, cache=cache))
    )
    signals = {name.rpartition("pe_1_1__DOT__")[2]: (name, width) for name, width in sim.internal_signals}
    sim.io.rst = 1
    sim.clock.tick()
    for register, bits in (("product", 16), ("weight", 8)):
        name, width = signals[register]
        assert "__DOT__pe_1_1__DOT__" in name
        assert width == bits
        assert sim[name] == 0
