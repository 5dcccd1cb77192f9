"""The simulator against a copier: results, errors and the bounds of waiting."""

import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from sim.conftest import MEMORY_BYTES
from sim.copier import DONE, FAULTS, READ_ERROR, REGISTERS, WRITE_ERROR, finish_copy, start_copy
from systolith_sim import (
    MemoryEquals,
    MemoryTiming,
    NoProgressError,
    ProtocolError,
    RegisterEquals,
    RegisterError,
    Simulator,
)


def copy(simulator, *, source, destination, beats, burst, max_cycles=1_000_000):
    start_copy(simulator, source=source, destination=destination, beats=beats, burst=burst)
    result = simulator.run(max_cycles=max_cycles)
    assert result.reason == "irq"
    return finish_copy(simulator)


def fill(simulator, seed=0):
    simulator.memory[:] = np.random.default_rng(seed).integers(0, 256, len(simulator.memory), np.uint8)


def test_sim_memory_of_the_caller(copier_library):
    memory = np.zeros(MEMORY_BYTES, np.uint8)
    memory[:64] = range(64)
    with Simulator(copier_library(128), memory_bytes=MEMORY_BYTES, memory=memory) as simulator:
        assert simulator.memory is memory
        assert copy(simulator, source=0, destination=0x1000, beats=4, burst=4) == DONE
    np.testing.assert_array_equal(memory[0x1000:0x1040], range(64))


@pytest.mark.parametrize(
    ("memory", "message"),
    [
        (np.zeros(4096, np.int8), "memory must be an array of (4096,) uint8, not (4096,) int8"),
        (np.zeros(64, np.uint8), "memory must be an array of (4096,) uint8, not (64,) uint8"),
        (b"", "memory must be an array of (4096,) uint8, not b''"),
        (np.zeros(8192, np.uint8)[::2], "memory must be contiguous and writable"),
        (np.frombuffer(bytes(4096), np.uint8), "memory must be contiguous and writable"),
    ],
)
def test_init_wrong_memory(copier_library, memory, message):
    with pytest.raises(TypeError) as info:
        Simulator(copier_library(128), memory_bytes=4096, memory=memory)
    assert str(info.value) == message


@pytest.mark.parametrize("data_bits", [32, 64, 128, 256, 512])
def test_sim_copy(copier_library, data_bits):
    rng = np.random.default_rng(data_bits)
    with Simulator(copier_library(data_bits), memory_bytes=MEMORY_BYTES) as simulator:
        assert simulator.data_bytes == data_bits // 8
        for case in range(12):
            fill(simulator, seed=case)
            simulator.set_timing(
                MemoryTiming(
                    latency_cycles=int(rng.choice([1, 3, 40])),
                    write_latency_cycles=int(rng.choice([1, 3, 40])),
                    read_bandwidth=Fraction(int(rng.integers(1, 5)), 4),
                    write_bandwidth=Fraction(int(rng.integers(1, 5)), 4),
                    stall_probability=float(rng.choice([0, 0.2, 0.7])),
                    seed=case,
                )
            )
            bus_bytes = data_bits // 8
            beats, burst = int(rng.integers(1, 300)), 2 ** int(rng.integers(0, 6))
            source = bus_bytes * int(rng.integers(0, 1000))
            destination = 0x80000 + bus_bytes * int(rng.integers(0, 1000))
            expected = simulator.memory.copy()
            expected[destination:][: beats * bus_bytes] = expected[source:][: beats * bus_bytes]
            assert copy(simulator, source=source, destination=destination, beats=beats, burst=burst) == DONE
            np.testing.assert_array_equal(simulator.memory, expected)


def test_sim_deterministic(copier_library):
    runs = []
    for _ in range(2):
        timing = MemoryTiming(stall_probability=0.3, seed=9)
        with Simulator(copier_library(64), memory_bytes=MEMORY_BYTES, timing=timing) as simulator:
            copy(simulator, source=0, destination=0x8000, beats=200, burst=8)
            runs.append(simulator.cycles)
    assert runs[0] == runs[1]


def test_sim_two_at_once(copier_library):
    """Simulators of the same and of another library do not disturb each other, closed in any order."""
    libraries = [copier_library(64), copier_library(64), copier_library(128)]
    simulators = [Simulator(library, memory_bytes=MEMORY_BYTES) for library in libraries]
    for seed, simulator in enumerate(simulators):
        fill(simulator, seed)
        start_copy(simulator, source=0, destination=0x8000, beats=64, burst=16)
    simulators.pop(0).close()
    for _ in range(400):
        for simulator in simulators:
            simulator.run(max_cycles=1, until=None)
    for simulator in simulators:
        size = 64 * simulator.data_bytes
        assert simulator.irq
        np.testing.assert_array_equal(simulator.memory[0x8000:][:size], simulator.memory[:size])
        simulator.close()


def test_sim_registers(simulator):
    for value in (0, 0xFFFFFFFF, 0x12345678):
        simulator.write_register(REGISTERS["echo"], value)
        assert simulator.read_register(REGISTERS["echo"]) == value
    before = simulator.cycles
    simulator.read_register(REGISTERS["echo"])
    assert simulator.cycles == before + 2
    simulator.write_register(REGISTERS["echo"], 0)
    assert simulator.cycles == before + 4


def test_sim_register_wrong(simulator):
    with pytest.raises(ValueError, match="offset must be a multiple of 4 below 256, not 2"):
        simulator.read_register(2)
    with pytest.raises(ValueError, match="offset must be a multiple of 4 below 256, not 256"):
        simulator.write_register(256, 0)
    with pytest.raises(ValueError, match="value must be an unsigned number of 32 bits, not -1"):
        simulator.write_register(0, -1)


def test_sim_register_error(simulator):
    with pytest.raises(RegisterError, match="write of register 0x18 was answered with error 2"):
        simulator.write_register(REGISTERS["fault"], FAULTS["register-error"])
    with pytest.raises(RegisterError, match="read of register 0x1c was answered with error 2"):
        simulator.read_register(REGISTERS["echo"])
    simulator.write_register(REGISTERS["fault"], 0)
    assert simulator.read_register(REGISTERS["echo"]) == 0


def test_sim_register_silent(simulator):
    simulator.write_register(REGISTERS["fault"], FAULTS["registers-silent"])
    with pytest.raises(RegisterError, match="read of register 0x1c: no answer within 1000 cycles"):
        simulator.read_register(REGISTERS["echo"])
    with pytest.raises(NoProgressError, match="the registers do not answer") as caught:
        simulator.run(max_cycles=10)
    assert caught.value.activity is None


def test_sim_run_conditions(simulator):
    fill(simulator)
    destination = 0x8000
    simulator.memory[destination:][:16] = 0
    word = int(simulator.memory[:4].view("<u4")[0])
    start_copy(simulator, source=0, destination=destination, beats=4, burst=4)
    result = simulator.run(max_cycles=1000, until=MemoryEquals(address=destination, value=word))
    assert result.reason == "memory"
    assert result.cycles > 80
    assert not simulator.irq
    again = simulator.run(
        max_cycles=1000, until=MemoryEquals(address=destination, value=word & 255, mask=255)
    )
    assert again.cycles == 0
    result = simulator.run(max_cycles=1000, until=RegisterEquals(offset=REGISTERS["status"], value=DONE))
    assert result.reason == "register"
    assert simulator.run(max_cycles=1000).cycles == 0
    result = simulator.run(max_cycles=123, until=None)
    assert (result.cycles, result.reason) == (123, "cycles")


def test_sim_run_wrong(simulator):
    with pytest.raises(
        ValueError, match="until must be 'irq', None, MemoryEquals or RegisterEquals, not 'done'"
    ):
        simulator.run(until="done")
    with pytest.raises(ValueError, match="max_cycles must not be negative, not -1"):
        simulator.run(max_cycles=-1)
    with pytest.raises(ValueError, match="address must be within the memory, not 0x000ffffd"):
        simulator.run(until=MemoryEquals(address=MEMORY_BYTES - 3, value=0))


def test_init_wrong(copier_library, tmp_path):
    library = copier_library(64)
    for size in (0, 4095, -4096, (1 << 32) + 4096, 4096.0):
        with pytest.raises(ValueError, match="memory_bytes must be a multiple of 4096 up to 4 GiB, not"):
            Simulator(library, memory_bytes=size)
    with pytest.raises(OSError, match=r"missing\.so"):
        Simulator(tmp_path / "missing.so", memory_bytes=4096)
    with pytest.raises(ValueError, match="is not a model built by systolith_sim: it lacks 'data_bytes'"):
        Simulator(_libc(), memory_bytes=4096)


def _libc():
    lines = Path("/proc/self/maps").read_text().splitlines()
    return next(line.split()[-1] for line in lines if "libc.so.6" in line or "/libc-" in line)


def test_close(copier_library):
    simulator = Simulator(copier_library(64), memory_bytes=4096)
    memory = simulator.memory
    memory[5] = 7
    simulator.close()
    simulator.close()
    assert memory[5] == 7
    with pytest.raises(ValueError, match="the simulator is closed"):
        simulator.run()


@pytest.mark.parametrize("response", ["slverr", "decerr"])
def test_sim_inject_read_error(simulator, response):
    fill(simulator)
    simulator.inject_error(0x1010, 1, response=response, access="read")
    expected = simulator.memory.copy()
    expected[0x8000:0x8040] = expected[0x1000:0x1040]
    expected[0x8010:0x8020] = 0
    status = copy(simulator, source=0x1000, destination=0x8000, beats=4, burst=4)
    assert status == DONE | READ_ERROR
    np.testing.assert_array_equal(simulator.memory, expected)
    assert copy(simulator, source=0x1020, destination=0x9000, beats=2, burst=4) == DONE
    simulator.clear_errors()
    assert copy(simulator, source=0x1000, destination=0x8000, beats=4, burst=4) == DONE


def test_sim_inject_write_error(simulator):
    fill(simulator)
    simulator.inject_error(0x8050, 16, access="write")
    expected = simulator.memory.copy()
    expected[0x8000:0x8040] = expected[0x1000:0x1040]
    expected[0x8080:0x80C0] = expected[0x1080:0x10C0]
    status = copy(simulator, source=0x1000, destination=0x8000, beats=12, burst=4)
    assert status == DONE | WRITE_ERROR
    np.testing.assert_array_equal(simulator.memory, expected)


def test_sim_inject_wrong(simulator):
    with pytest.raises(ValueError, match=r"the range must not be empty or negative, not 0 bytes at 0"):
        simulator.inject_error(0, 0)
    with pytest.raises(ValueError, match="response must be 'slverr' or 'decerr', not 'okay'"):
        simulator.inject_error(0, 1, response="okay")
    with pytest.raises(ValueError, match="access must be 'read', 'write' or 'both', not 'none'"):
        simulator.inject_error(0, 1, access="none")


def test_sim_outside_memory(simulator):
    """Accesses beyond the memory are answered with DECERR; the last beat within it is not."""
    end = MEMORY_BYTES
    assert copy(simulator, source=end - 16, destination=0x8000, beats=1, burst=1) == DONE
    assert copy(simulator, source=end - 16, destination=0x8000, beats=2, burst=1) == DONE | READ_ERROR
    assert copy(simulator, source=0, destination=end, beats=1, burst=1) == DONE | WRITE_ERROR
    assert copy(simulator, source=0xFFFFFFF0, destination=0, beats=1, burst=1) == DONE | READ_ERROR


def test_sim_writes_land_with_their_response(simulator):
    """What has not been acknowledged is not in the memory, and is from the cycle of its response on."""
    fill(simulator)
    simulator.memory[0x8000:0x8010] = 0
    simulator.set_timing(MemoryTiming(latency_cycles=1, write_latency_cycles=100))
    start = start_copy(simulator, source=0, destination=0x8000, beats=1, burst=1)
    # Cycles 1 AR, 2 R, 4 W, 104 B: what the response shows is there once its cycle has begun.
    simulator.run(max_cycles=start + 104 - simulator.cycles, until=None)
    assert not simulator.memory[0x8000:0x8010].any()
    simulator.run(max_cycles=1, until=None)
    np.testing.assert_array_equal(simulator.memory[0x8000:0x8010], simulator.memory[:16])


def test_sim_no_progress(simulator):
    simulator.set_timing(MemoryTiming(latency_cycles=10_000))
    start_copy(simulator, source=0x1000, destination=0x8000, beats=32, burst=16)
    with pytest.raises(NoProgressError) as caught:
        simulator.run(max_cycles=100)
    error = caught.value
    assert error.cycles == 100
    assert error.activity == 1
    assert (error.outstanding.reads, error.outstanding.read_address, error.outstanding.read_beats) == (
        2,
        0x1000,
        16,
    )
    assert (error.outstanding.writes, error.outstanding.write_beats) == (2, 16)
    assert str(error) == (
        "irq is low after 100 cycles; activity is 0x00000001; 2 reads (16 beats due from 0x00001000); "
        "2 writes (the oldest to 0x00008000); 16 beats of write data missing"
    )
    # It goes on where it stopped.
    assert simulator.run(max_cycles=20_000).reason == "irq"


def test_sim_no_progress_of_other_conditions(simulator):
    with pytest.raises(
        NoProgressError, match=r"MemoryEquals\(address=0, value=1, mask=4294967295\) does not hold"
    ):
        simulator.run(max_cycles=10, until=MemoryEquals(address=0, value=1))
    with pytest.raises(NoProgressError, match=r"RegisterEquals\(offset=28, value=1, .*no bus transaction"):
        simulator.run(max_cycles=10, until=RegisterEquals(offset=REGISTERS["echo"], value=1))


def test_sim_no_progress_hung(simulator):
    simulator.write_register(REGISTERS["fault"], FAULTS["hang"])
    start_copy(simulator, source=0, destination=0x8000, beats=1, burst=1)
    with pytest.raises(NoProgressError, match="after 50 cycles; activity is 0x00000001; no bus transaction"):
        simulator.run(max_cycles=50)


def test_sim_outstanding_waiting(simulator):
    simulator.set_timing(MemoryTiming(stall_probability={"ar": 0.999999, "aw": 0.999999}))
    start_copy(simulator, source=0, destination=0x8000, beats=1, burst=1)
    assert simulator.outstanding.waiting == ("ar", "aw")
    assert str(simulator.outstanding) == "waiting on ar, aw"


RULES = [
    ("burst-type", "burst-type", "AR: burst type must be 1 (incrementing), not 2"),
    ("burst-size", "burst-size", "AR: beats must be the bus's 16 bytes, not 32"),
    ("alignment", "alignment", "AR: address must be a multiple of 16, not 0x00001001"),
    ("burst-4k", "burst-4k", "AR: 256 beats of 16 bytes at 0x00001010 cross a 4 KiB boundary"),
    ("wlast", "wlast", "W: wlast is 1 in beat 1 of 4 of the burst at 0x00008000"),
    ("stable-payload", "stable", "the AR payload changed before arready rose"),
    ("stable-valid", "stable", "arvalid fell before arready rose"),
    ("stable-data", "stable", "the W payload changed before wready rose"),
    ("axil-response", "axil-response", "bvalid without a write that awaits its response"),
]


def misbehave(simulator, fault):
    simulator.write_register(REGISTERS["fault"], FAULTS[fault])
    source = 0x1010 if fault == "burst-4k" else 0x1000
    start_copy(simulator, source=source, destination=0x8000, beats=64, burst=4)
    simulator.run(max_cycles=1000)


@pytest.mark.parametrize(("fault", "rule", "message"), RULES)
def test_sim_violation(simulator, fault, rule, message):
    stalls = {"stable-payload": {"ar": 0.9}, "stable-valid": {"ar": 0.9}, "stable-data": {"w": 0.9}}
    simulator.set_timing(MemoryTiming(stall_probability=stalls.get(fault, 0.0)))
    with pytest.raises(ProtocolError) as caught:
        misbehave(simulator, fault)
    assert caught.value.rule == rule
    assert caught.value.cycle in (simulator.cycles - 1, simulator.cycles)
    assert str(caught.value) == f"bus rule {rule!r} broken in cycle {caught.value.cycle}: {message}"
    # The simulation stays stopped until it is reset.
    with pytest.raises(ProtocolError):
        simulator.run(max_cycles=1)


def test_sim_violation_exact_cycle(simulator):
    simulator.write_register(REGISTERS["fault"], FAULTS["wlast"])
    start = start_copy(simulator, source=0, destination=0x8000, beats=4, burst=4)
    with pytest.raises(ProtocolError) as caught:
        simulator.run()
    assert caught.value.cycle == start + 1 + 40 + 2
    assert simulator.cycles == caught.value.cycle + 1


def test_sim_violation_in_reset(simulator):
    simulator.write_register(REGISTERS["fault"], FAULTS["reset"])
    with pytest.raises(ProtocolError, match="a valid signal is high while rst is"):
        simulator.reset()


def test_sim_reset(simulator):
    """A device that broke a rule in mid-copy works again, with its memory and timing as they were."""
    fill(simulator)
    simulator.set_timing(MemoryTiming(latency_cycles=5))
    simulator.write_register(REGISTERS["fault"], FAULTS["wlast"])
    start_copy(simulator, source=0, destination=0x8000, beats=64, burst=16)
    with pytest.raises(ProtocolError):
        simulator.run()
    before = simulator.memory.copy()
    simulator.reset()
    assert simulator.cycles == 0
    assert str(simulator.outstanding) == "no bus transaction"
    assert simulator.timing == MemoryTiming(latency_cycles=5)
    np.testing.assert_array_equal(simulator.memory, before)
    simulator.write_register(REGISTERS["fault"], 0)
    assert copy(simulator, source=0, destination=0x8000, beats=64, burst=16) == DONE
    np.testing.assert_array_equal(simulator.memory[0x8000:0x8400], simulator.memory[:0x400])


def test_sim_seconds(simulator):
    assert simulator.seconds > 0
    before, begin = simulator.seconds, time.perf_counter()
    simulator.run(max_cycles=50_000, until=None)
    assert 0 < simulator.seconds - before <= time.perf_counter() - begin


def test_sim_interrupt(copier_library):
    """Ctrl-C ends a long run at once, and the simulation can go on."""
    script = f"""if True:
        import time
        from systolith_sim import Simulator
        simulator = Simulator({str(copier_library(64))!r}, memory_bytes=4096)
        print("started", flush=True)
        try:
            simulator.run(max_cycles=10**15, until=None)
        except KeyboardInterrupt:
            cycles = simulator.cycles
            simulator.run(max_cycles=10, until=None)
            print("stopped", simulator.cycles - cycles, cycles > 0)
        """
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "started\n"
        time.sleep(0.3)
        begin = time.perf_counter()
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "stopped 10 True\n"
        assert time.perf_counter() - begin < 2
    assert process.returncode == 0
