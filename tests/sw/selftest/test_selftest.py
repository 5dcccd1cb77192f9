"""The self-test: it passes what works, finds what does not, and leaves everything as it was."""

import dataclasses

import numpy as np
import pytest
from sw.selftest import board
from sw.selftest.board import CLOCK_HZ, CONFIG, MEMORY_BYTES, open_board
from systolith import ArrayConfig
from systolith.selftest import CHECKS, Effort, Status, selftest
from systolith.selftest.clock import check_clock
from systolith.selftest.patterns import background, bits_of, walking_bits

EFFORT = Effort(memory_seconds=60.0, measure_seconds=0.02, large=False, seed=1)
"""Time enough for all of a small memory."""


def by_name(device, effort=EFFORT):
    return {row.name: row.outcome for row in selftest(device, effort=effort)}


def failures(outcomes):
    return [name for name, outcome in outcomes.items() if outcome.status is Status.FAIL]


def test_board_passes():
    device = open_board()
    rng = np.random.default_rng(0)
    device.transport.store[:] = rng.integers(0, 256, MEMORY_BYTES, np.uint8)
    mine = device.allocate(1000)
    before, free = device.transport.store.copy(), device.free_bytes
    outcomes = by_name(device)
    assert list(outcomes) == list(CHECKS)
    assert {outcome.status for outcome in outcomes.values()} == {Status.PASS}
    assert outcomes["memory words"].figures == {"tested_bytes": MEMORY_BYTES, "memory_bytes": MEMORY_BYTES}
    assert outcomes["clock"].figures["measured_hz"] == pytest.approx(CLOCK_HZ, rel=0.2)
    assert outcomes["link"].figures["error_rate"] == 0
    assert outcomes["host bandwidth"].figures["line_bytes_per_second"] == 100_000
    assert outcomes["device bandwidth"].figures["bus_bytes"] == CONFIG.bus_bytes
    assert (device.free_bytes, len(device.trace)) == (free, 0)
    kept = slice(mine.address, mine.address + mine.size)
    np.testing.assert_array_equal(device.transport.store[kept], before[kept])


@pytest.mark.parametrize(("real_hz", "status"), [(CLOCK_HZ, Status.PASS), (0.96 * CLOCK_HZ, Status.FAIL)])
def test_clock_over_a_slow_line(real_hz, status):
    """A first reading that had to be repeated changes nothing, nor does a delay hide a wrong clock."""
    device = open_board(board.SlowLine)
    device.transport.real_hz = real_hz
    device.transport.waits = iter([0.12])
    outcome = check_clock(device, EFFORT)
    assert outcome.status is status
    assert outcome.figures["measured_hz"] == pytest.approx(real_hz, rel=0.01)


@pytest.mark.parametrize("rows", [2, 4])
@pytest.mark.parametrize("memory_bytes", [4096, 8192, 16384])
def test_small_memory_passes(rows, memory_bytes):
    """What does not fit at once is done bit by bit, and nothing is kept."""
    device = open_board(config=ArrayConfig(rows=rows, columns=rows), memory_bytes=memory_bytes)
    free = device.free_bytes
    for large in (False, True):
        outcomes = by_name(device, dataclasses.replace(EFFORT, large=large))
        assert failures(outcomes) == []
        assert outcomes["queued GEMMs"].status is Status.PASS
    assert outcomes["queued GEMMs"].figures["queues"] > (memory_bytes == 4096)
    assert device.free_bytes == free


def test_memory_in_use():
    """What cannot be checked for want of memory is not wrong."""
    device = open_board()
    mine = device.allocate(device.largest_free_bytes)
    outcomes = by_name(device)
    assert failures(outcomes) == []
    assert outcomes["queued GEMMs"].status is Status.NOT_APPLICABLE
    assert outcomes["queued GEMMs"].detail.startswith("needs more memory: out of device memory: ")
    device.free(mine)
    assert {outcome.status for outcome in by_name(device).values()} == {Status.PASS}


@pytest.mark.parametrize("target", ["golden", "rtl"])
def test_target_passes(open_shared, target):
    device = open_shared(target, ArrayConfig(rows=4, columns=4))
    outcomes = by_name(device, dataclasses.replace(EFFORT, large=True))
    assert failures(outcomes) == []
    without = {name for name, outcome in outcomes.items() if outcome.status is Status.NOT_APPLICABLE}
    registers = {name for name in CHECKS if name.endswith("registers")} | {"cycle counter"}
    assert without == {"link", "clock"} | (registers | {"device bandwidth"} if target == "golden" else set())


@pytest.mark.parametrize(
    ("kind", "name", "figures"),
    [
        (board.Magic, "identity registers", {"register": "buffers"}),
        (board.WritableIdentity, "read-only registers", {"register": "epilogue"}),
        (board.StuckInterrupt, "writable registers", {"register": "irq_enable", "expected": 0, "got": 2}),
        (board.StoppedClock, "cycle counter", {"before": 0, "after": 0}),
        (board.DampCable, "link", {}),
        (board.DoubledClock, "clock", {"clock_hz": CLOCK_HZ}),
        (board.DataLine, "memory data lines", {"address": 0, "expected": "0x1", "got": "0x2001"}),
        (board.AddressLine, "memory address lines", {"address": 0}),
        (board.ByteStrobes, "memory address lines", {"address": 0, "expected": 1, "got": 2}),
        (board.StuckCell, "memory words", {"address": 0x2344}),
        (board.CoupledCells, "memory words", {"address": 0x1900}),
        (board.DeviceAddressLine, "device addresses", {}),
        (board.WrongElement, "processing elements", {"row": 2, "column": 5}),
        (board.WrongBeyondTile, "growing GEMMs", {"index": [0, 0, 8]}),
        (board.WrongInQueue, "queued GEMMs", {}),
        (board.Hanging, "growing GEMMs", {}),
    ],
)
def test_fault_is_found(kind, name, figures):
    device = open_board(kind)
    free = device.free_bytes
    outcomes = by_name(device)
    assert failures(outcomes)[0] == name
    assert outcomes[name].figures | figures == outcomes[name].figures
    assert device.free_bytes == free


def test_nothing_more_over_a_torn_cable():
    outcomes = by_name(open_board(board.TornCable))
    assert failures(outcomes) == ["link"]
    names = list(CHECKS)
    for name in names[names.index("link") + 1 :]:
        assert outcomes[name].status is Status.NOT_APPLICABLE
        assert outcomes[name].detail == "not run: too much is lost on the link"


def test_blocks_reach_further_than_words():
    kind = type("Low", (board.StuckCell,), {"cell": 0x645})
    outcomes = by_name(open_board(kind), dataclasses.replace(EFFORT, memory_seconds=0.0))
    assert outcomes["memory words"].status is Status.PASS
    assert outcomes["memory words"].figures["tested_bytes"] <= 0x645
    assert outcomes["memory blocks"].status is Status.FAIL
    assert outcomes["memory blocks"].figures["address"] == 0x644


def test_bus_error_is_told(open_shared):
    """Of the accelerator's memory, which the host sees as it should be; the device can be used on."""
    device = open_shared("rtl", ArrayConfig(rows=4, columns=4))
    device.simulator.inject_error(device.memory_bytes // 2, 4)
    try:
        outcomes = by_name(device)
    finally:
        device.simulator.clear_errors()
    assert failures(outcomes) == ["device addresses"]
    assert outcomes["device addresses"].detail == (
        f"bus error: the write at address {device.memory_bytes // 2:#010x} failed"
    )
    assert failures(by_name(device)) == []


def test_wrong_address_line_is_named():
    outcome = by_name(open_board(board.AddressLine))["memory address lines"]
    assert outcome.detail == (
        "the byte at 0x00000000 is 0x10, not 0x01, which was written to 0x00004000: "
        "bit 14 of the address make no difference"
    )


def test_hanging_device_is_reset():
    outcomes = by_name(open_board(board.Hanging))
    assert outcomes["growing GEMMs"].detail.startswith("the device makes no progress: ")
    assert outcomes["device bandwidth"].status is Status.PASS


def test_device_is_gone():
    outcomes = by_name(open_board(board.Unplugged))
    [gone] = failures(outcomes)
    assert outcomes[gone].detail == "the port does not answer; is the cable plugged in?"
    after = list(outcomes)[list(outcomes).index(gone) + 1 :]
    assert after
    assert {outcomes[name].detail for name in after} == {"not run: the device does not answer"}
    assert {outcomes[name].status for name in after} == {Status.NOT_APPLICABLE}


def test_memory_of_the_host_is_tested_in_part():
    device = open_board(visible=True)
    outcomes = by_name(device, dataclasses.replace(EFFORT, memory_seconds=0.001))
    figures = outcomes["memory words"].figures
    assert figures["tested_bytes"] < figures["memory_bytes"] == MEMORY_BYTES
    assert figures["tested_bytes"].bit_count() == 1


def test_progress():
    names = []
    selftest(open_board(), effort=EFFORT, progress=names.append)
    assert names == list(CHECKS)


def test_patterns():
    assert walking_bits(2) == [1, 2, 2, 1]
    assert (bits_of(8), bits_of(0x21)) == ("bit 3", "bits 0, 5")
    words = background(0, 1 << 16).view("<u4")
    assert len(set(words.tolist())) == len(words)
    np.testing.assert_array_equal(background(0x8000, 64), background(0, 1 << 16)[0x8000:][:64])
