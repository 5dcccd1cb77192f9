import itertools
import random

import pytest
from hw.streams import signed, trace
from systolith_hw.pe import ProcessingElement


def run(inputs, *, operand_bits=8, psum_bits=20):
    """The sums of an element, with the register of its activation beside it."""
    dut = ProcessingElement(operand_bits=operand_bits, psum_bits=psum_bits)
    registered = [now | {"a": before["a_in"]} for before, now in itertools.pairwise([inputs[0], *inputs])]
    return [cycle["psum_out"] for cycle in trace(dut, registered, ["psum_out"])]


def stimuli(rng, cycles, operand_bits, psum_bits):
    def operand():
        low, high = -(1 << operand_bits - 1), (1 << operand_bits - 1) - 1
        return rng.choice([low, high, rng.randint(low, high)])

    inputs = [
        {
            "a_in": operand(),
            "swap_in": rng.random() < 0.3,
            "weight": operand(),
            "load": rng.random() < 0.5,
            "psum_in": rng.randrange(-(1 << psum_bits - 1), 1 << psum_bits - 1),
        }
        for _ in range(cycles)
    ]
    inputs[0] |= {"load": True, "swap_in": False}
    inputs[1] |= {"swap_in": True}
    return inputs


def weight_in_use(inputs, cycle):
    """The weight loaded last before the last swap up to this cycle."""
    swap = max(t for t in range(cycle + 1) if inputs[t]["swap_in"])
    return inputs[max(t for t in range(swap) if inputs[t]["load"])]["weight"]


@pytest.mark.parametrize(("operand_bits", "psum_bits"), [(8, 17), (8, 22), (4, 9), (3, 4)])
def test_sim_random(operand_bits, psum_bits):
    inputs = stimuli(random.Random(operand_bits), 400, operand_bits, psum_bits)
    sums = run(inputs, operand_bits=operand_bits, psum_bits=psum_bits)
    for t in range(1, len(inputs) - ProcessingElement.LATENCY):
        psum_in = inputs[t + ProcessingElement.LATENCY - 1]["psum_in"]
        expected = psum_in + inputs[t]["a_in"] * weight_in_use(inputs, t)
        assert sums[t + ProcessingElement.LATENCY] == signed(expected, psum_bits)


def test_sim_load_in_the_cycle_of_a_swap():
    """It takes effect after the swap."""
    quiet = {"a_in": 1, "swap_in": 0, "load": 0, "weight": 0, "psum_in": 0}
    inputs = [
        quiet | {"load": 1, "weight": 3},
        quiet | {"load": 1, "weight": 5, "swap_in": 1},
        quiet,
        quiet | {"swap_in": 1},
        *[quiet] * 4,
    ]
    assert run(inputs)[4:8] == [3, 3, 5, 5]


def test_sim_latency():
    """Measured from one activation among zeros."""
    quiet = {"a_in": 0, "swap_in": 0, "load": 0, "weight": 0, "psum_in": 0}
    inputs = [quiet | {"load": 1, "weight": 7}, quiet | {"swap_in": 1}, quiet | {"a_in": 2}, *[quiet] * 6]
    sums = run(inputs)
    assert sums.index(14) - 2 == ProcessingElement.LATENCY
    assert sums.count(14) == 1
