"""The memory's timing, cycle by cycle, against the documented rules."""

import random
from fractions import Fraction

import pytest
from sim.copier import DONE, finish_copy, read_stamps, start_copy
from sim.timing_oracle import expected_stamps
from systolith_sim import MemoryTiming

BUS_BYTES = 16


def copy_and_compare(simulator, timing, *, source=0x1000, destination=0x8000, beats, burst):
    simulator.set_timing(timing)
    timing_set = simulator.cycles
    request = {"source": source, "destination": destination, "beats": beats, "burst": burst}
    start = start_copy(simulator, **request)
    result = simulator.run(max_cycles=100_000)
    assert result.reason == "irq"
    ended = simulator.cycles - start
    stamps = read_stamps(simulator)
    assert finish_copy(simulator) == DONE
    expected = expected_stamps(timing, **request, bus_bytes=BUS_BYTES, start=start, timing_set=timing_set)
    assert stamps == expected
    # The copier raises its interrupt at the edge after the one at which its last response is counted.
    assert ended == expected["b_last"] + 2
    return stamps


@pytest.mark.parametrize("burst", [1, 4, 16])
def test_sim_default(simulator, burst):
    stamps = copy_and_compare(simulator, MemoryTiming(), beats=48, burst=burst)
    assert stamps["ar_first"] == 1
    assert stamps["r_first"] == 1 + 40
    assert stamps["r_last"] == stamps["r_first"] + 47
    assert stamps["w_last"] == stamps["w_first"] + 47
    assert stamps["b_last"] == stamps["w_last"] + 40


@pytest.mark.parametrize("latency", [1, 2, 3, 40, 1000])
@pytest.mark.parametrize("write_latency", [1, 7])
def test_sim_latency(simulator, latency, write_latency):
    timing = MemoryTiming(latency_cycles=latency, write_latency_cycles=write_latency)
    stamps = copy_and_compare(simulator, timing, beats=5, burst=2)
    assert stamps["r_first"] - stamps["ar_first"] == latency
    assert stamps["b_last"] - stamps["w_last"] == write_latency


@pytest.mark.parametrize(
    "bandwidth", [Fraction(1), Fraction(1, 2), Fraction(2, 3), Fraction(7, 9), Fraction(1, 40)]
)
def test_sim_bandwidth(simulator, bandwidth):
    beats = 33
    steady = -((-(beats - 1) * bandwidth.denominator) // bandwidth.numerator)
    stamps = copy_and_compare(simulator, MemoryTiming(read_bandwidth=bandwidth), beats=beats, burst=8)
    assert stamps["r_last"] - stamps["r_first"] == steady
    stamps = copy_and_compare(simulator, MemoryTiming(write_bandwidth=bandwidth), beats=beats, burst=8)
    assert stamps["w_last"] - stamps["w_first"] == steady


@pytest.mark.parametrize("channel", ["ar", "r", "aw", "w", "b"])
def test_sim_stall_one_channel(simulator, channel):
    undisturbed = copy_and_compare(simulator, MemoryTiming(), beats=40, burst=2)
    timing = MemoryTiming(stall_probability={channel: 0.9}, seed=3)
    stamps = copy_and_compare(simulator, timing, beats=40, burst=2)
    affected = {"ar": "ar_last", "r": "r_last", "aw": "b_last", "w": "w_last", "b": "b_last"}[channel]
    assert stamps[affected] > undisturbed[affected] + 40


@pytest.mark.parametrize("seed", range(40))
def test_sim_random(simulator, seed):
    draw = random.Random(seed)
    timing = MemoryTiming(
        latency_cycles=draw.choice([1, 2, 5, 40, 100]),
        write_latency_cycles=draw.choice([1, 2, 5, 40, 100]),
        read_bandwidth=Fraction(draw.randint(1, 8), 8),
        write_bandwidth=Fraction(draw.randint(1, 8), 8),
        stall_probability={name: draw.choice([0, 0.1, 0.5]) for name in ("ar", "r", "aw", "w", "b")},
        seed=draw.getrandbits(55),
    )
    burst = draw.choice([1, 2, 4, 16, 32])
    simulator.run(max_cycles=draw.randint(0, 100), until=None)
    copy_and_compare(
        simulator,
        timing,
        source=0x1000 + BUS_BYTES * draw.randrange(64),
        destination=0x8000 + BUS_BYTES * draw.randrange(64),
        beats=draw.randint(1, 60),
        burst=burst,
    )


def test_sim_stalls_restart(simulator):
    """Setting the same timing again repeats its stalls."""
    timing = MemoryTiming(stall_probability=0.5, seed=1)
    first = copy_and_compare(simulator, timing, beats=20, burst=4)
    assert copy_and_compare(simulator, timing, beats=20, burst=4) == first
    other = MemoryTiming(stall_probability=0.5, seed=2)
    assert copy_and_compare(simulator, other, beats=20, burst=4) != first


def test_sim_latency_of_reads_under_way(simulator):
    """A read keeps the latency that it was accepted with."""
    simulator.set_timing(MemoryTiming(latency_cycles=50))
    start_copy(simulator, source=0, destination=0x8000, beats=4, burst=4)
    simulator.set_timing(MemoryTiming(latency_cycles=1))
    simulator.run(max_cycles=1000)
    stamps = read_stamps(simulator)
    assert stamps["r_first"] - stamps["ar_first"] == 50
