"""The rtl target's failures: each is told, and the device works afterwards."""

import dataclasses

import numpy as np
import pytest
from sw.cases import CONFIGS
from sw.oracle import gemm
from systolith import (
    BusError,
    ConfigurationMismatch,
    NoProgress,
    PackedWeight,
    TargetUnavailable,
    matmul,
    open_device,
)
from systolith.simulated import SimulatedDevice
from systolith_hw import Code, Reject
from systolith_sim.errors import MissingToolError

CONFIG = CONFIGS["2x8-narrow"]
A = np.random.default_rng(0).integers(-128, 128, (9, 30), np.int8)
B = np.random.default_rng(1).integers(-128, 128, (30, 11), np.int8)


@pytest.fixture
def rtl(open_shared):
    device = open_shared("rtl", CONFIG)
    yield device
    device.simulator.clear_errors()
    device.trace.clear()


def test_record(rtl):
    matmul(A, B, device=rtl, label="one")
    (record,) = rtl.trace
    assert (record.label, record.target) == ("one", "rtl")
    assert record.cycles == sum(record.counters.parts.values()) >= record.roofline_cycles
    assert 0 < record.utilization <= 1
    assert record.seconds > 0


@pytest.mark.parametrize("access", ["read", "write"])
def test_bus_error(rtl, access):
    """The error has the address, products before and after it are right, and nothing has to be reset."""
    with PackedWeight(B, device=rtl) as weight:
        queue = rtl.queue()
        before, failing, after = (queue.matmul(A, weight) for _ in range(3))
        (descriptor,) = failing.descriptors
        address = descriptor.a_address if access == "read" else descriptor.d_address
        rtl.simulator.inject_error(address, 1, access=access)
        with pytest.raises(BusError) as info:
            queue.run()
        assert str(info.value) == f"bus error: the {access} at address {address:#010x} failed"
        assert info.value.address == address
        code = Code.READ_ERROR if access == "read" else Code.WRITE_ERROR
        assert [each.code for each in info.value.completions] == [Code.OK, code, Code.OK]
        np.testing.assert_array_equal(before.result(), gemm(A, B))
        np.testing.assert_array_equal(after.result(), gemm(A, B))
        rtl.simulator.clear_errors()
        np.testing.assert_array_equal(matmul(A, weight), gemm(A, B))


@pytest.mark.parametrize("tag", [0, 5])
def test_unreadable_descriptor(rtl, tag):
    """The address is told whatever the tag, and nothing has to be reset."""
    queue = rtl.queue()
    pending = queue.matmul(A, B)
    (descriptor,) = pending.descriptors
    slot = rtl._ring + 128 * (rtl._tail % rtl._slots)
    rtl.simulator.inject_error(slot, 64, access="read")
    rtl.submit([dataclasses.replace(descriptor, tag=tag)])
    with pytest.raises(BusError) as info:
        rtl.wait()
    assert info.value.access == "read"
    assert slot <= info.value.address < slot + 64
    rtl.simulator.clear_errors()
    np.testing.assert_array_equal(matmul(A, B, device=rtl), gemm(A, B))


def test_completion_record_error(rtl):
    slot = rtl._tail % rtl._slots
    record = rtl._ring + 128 * slot + 64
    rtl.simulator.inject_error(record, 64, access="write")
    with pytest.raises(BusError) as info:
        matmul(A, B, device=rtl)
    assert info.value.access == "completion record write"
    assert record <= info.value.address < record + 64
    rtl.simulator.clear_errors()
    np.testing.assert_array_equal(matmul(A, B, device=rtl), gemm(A, B))


def test_rejected(rtl):
    """What :meth:`Descriptor.check` says is what the hardware says."""
    queue = rtl.queue()
    pending = queue.matmul(A, B)
    (good,) = pending.descriptors
    bad = {
        Reject.ZERO_SIZE: {"m_block": 0},
        Reject.OVERFLOW_POSSIBLE: {"k": 1 << 20},
        Reject.CAPACITY: {"m_block": 5},
        Reject.ALIGNMENT: {"b_stride": 13},
    }
    cases = [(reason, type(good)(**vars(good) | change)) for reason, change in bad.items()]
    rtl.submit([each for _, each in cases])
    ended = rtl.collect()
    assert [completion.code for _, completion, _ in ended] == [Code.REJECTED] * len(cases)
    assert [completion.reason for _, completion, _ in ended] == list(bad)
    assert [each.check(CONFIG) for _, each in cases] == list(bad)
    queue.run()
    np.testing.assert_array_equal(pending.result(), gemm(A, B))


def test_no_progress(rtl, monkeypatch):
    """Too few cycles: the state of the sequencers is told; after a reset it works."""
    monkeypatch.setattr(rtl, "_max_cycles", 60)
    with pytest.raises(NoProgress) as info:
        matmul(np.tile(A, (9, 1)), B, device=rtl)
    assert str(info.value).startswith(
        "the device makes no progress: no interrupt within 60 cycles; ring_head is"
    )
    monkeypatch.undo()
    np.testing.assert_array_equal(matmul(A, B, device=rtl), gemm(A, B))


def test_wrong_configuration(rtl):
    other = CONFIGS["default"]
    with pytest.raises(ConfigurationMismatch, match="rows must be 16, the device reports 2") as info:
        SimulatedDevice("rtl", other, _Borrowed(rtl.simulator))
    assert {"rows", "columns", "axi_data_bits", "config_hash"} <= set(info.value.differences)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (MissingToolError("g++ is missing: install g++"), "target rtl: g++ is missing: install g++"),
        (ModuleNotFoundError(name="amaranth"), "target rtl needs the Python module amaranth"),
    ],
)
def test_unavailable(monkeypatch, error, message):
    def fail(*arguments, **options):
        raise error

    monkeypatch.setattr("systolith_sim.model.open_simulator", fail)
    with pytest.raises(TargetUnavailable) as info:
        open_device("rtl")
    assert str(info.value) == message


class _Borrowed:
    """A simulator that is not closed by whoever borrowed it."""

    def __init__(self, simulator):
        self._simulator = simulator

    def __getattr__(self, name):
        return getattr(self._simulator, name)

    def close(self):
        pass
