"""The ring driver against a device of the contract written in Python."""

import dataclasses
import re

import numpy as np
import pytest
from sw.fake import FakeTransport
from sw.oracle import gemm
from systolith import (
    ArrayConfig,
    BusError,
    ConfigurationMismatch,
    DescriptorRejected,
    DeviceClosed,
    DeviceError,
    NoProgress,
    PackedWeight,
    ProtocolError,
    matmul,
)
from systolith.driver import RingDevice
from systolith_hw import REGISTERS, Code, Completion, Descriptor, Reject, identity
from systolith_hw.registers import Control

CONFIG = ArrayConfig(rows=4, columns=4)


def open_fake(*, ring_slots=8, max_cycles=None, **options):
    transport = FakeTransport(CONFIG, **options)
    return RingDevice("fake", CONFIG, transport, ring_slots=ring_slots, max_cycles=max_cycles), transport


def descriptor(device, *, seed=0, tag=0, **changes):
    """A 3×5×7 GEMM on memory of its own; with its expected D."""
    rng = np.random.default_rng(seed)
    a, b = rng.integers(-128, 128, (3, 8), np.int8), rng.integers(-128, 128, (5, 8), np.int8)
    address = device.allocate(256).address
    device.write(address, a)
    device.write(address + 64, b)
    fields = {
        "m": 3,
        "k": 5,
        "n": 7,
        "m_block": 3,
        "a_address": address,
        "b_address": address + 64,
        "d_address": address + 128,
        "a_stride": 8,
        "b_stride": 8,
        "d_stride": 32,
        "tag": tag,
    }
    return Descriptor(**fields | changes), gemm(a[:, :5], b[:, :7])


def read_d(device, d):
    rows = device.read(d.d_address, d.m * d.d_stride).view(np.int32).reshape(d.m, -1)
    return rows[:, : d.n]


def test_init():
    device, transport = open_fake(ring_slots=16)
    registers = transport.registers
    assert registers["ring_size"] == 4
    assert registers["ring_base"] % 128 == 0
    assert registers["control"] == Control.ENABLE
    assert registers["irq_enable"] == 3
    assert device.target == "fake"
    device.close()
    assert transport.closed


@pytest.mark.parametrize("ring_slots", [0, 3, -1, 1 << 12])
def test_init_wrong_ring_slots(ring_slots):
    with pytest.raises(ValueError, match=r"^ring_slots must be a power of two from 1 to 2048, not "):
        open_fake(ring_slots=ring_slots)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"rows": 8}, "rows must be 4, the device reports 8"),
        ({"columns": 8}, "columns must be 4, the device reports 8"),
        ({"axi_data_bits": 64}, "axi_data_bits must be 32, the device reports 64"),
        ({"a_buffer_lines": 2048}, "a_buffer_lines must be 4096, the device reports 2048"),
        ({"b_buffer_lines": 512}, "b_buffer_lines must be 256, the device reports 512"),
        ({"accumulator_rows": 8}, "accumulator_rows must be 256, the device reports 8"),
        ({"epilogue_lanes": 1}, "epilogue_lanes must be 4, the device reports 1"),
        ({"burst_bytes": 32}, "burst_bytes must be 64, the device reports 32"),
        ({"outstanding": 32}, "outstanding must be 64, the device reports 32"),
        ({"descriptor_slots": 8}, "descriptor_slots must be 4, the device reports 8"),
        ({"address_bits": 20}, "address_bits must be 32, the device reports 20"),
        ({"dimension_bits": 12}, "dimension_bits must be 24, the device reports 12"),
        ({"counter_bits": 24}, "counter_bits must be 32, the device reports 24"),
        ({"counter_bits": 24}, "config_hash must be 0x"),
        ({"tile_columns": 2}, "tile_columns must be 1, the device reports 2"),
        ({"lane_cycles": 16, "epilogue_lanes": 1}, "lane_cycles must be 1, the device reports 16"),
    ],
)
def test_init_wrong_configuration(other, message):
    transport = FakeTransport(dataclasses.replace(CONFIG, **other))
    with pytest.raises(ConfigurationMismatch) as info:
        RingDevice("fake", CONFIG, transport)
    assert message in str(info.value)
    assert str(info.value).startswith("the device is of another configuration: ")
    assert transport.closed


def test_init_wrong_magic():
    transport = FakeTransport(CONFIG)
    transport.registers["id"] = 0xFFFFFFFF
    with pytest.raises(ConfigurationMismatch, match="id must be 0x54535953, the device reports 0xffffffff"):
        RingDevice("fake", CONFIG, transport)


def test_identity_read_once_each():
    _, transport = open_fake()
    for name, value in identity(CONFIG).items():
        assert transport.read_register(REGISTERS[name].offset) == value


@pytest.mark.parametrize("unattended", [True, False])
@pytest.mark.parametrize("burst", [1, 3, 1000])
@pytest.mark.parametrize("ring_slots", [1, 2, 4, 64])
def test_submit_more_than_ring(ring_slots, burst, unattended):
    device, _ = open_fake(ring_slots=ring_slots, burst=burst, unattended=unattended)
    work = [descriptor(device, seed=i, tag=100 + i) for i in range(21)]
    assert device.submit([d for d, _ in work[:13]]) == range(13)
    assert device.submit([d for d, _ in work[13:]]) == range(13, 21)
    completions = device.wait()
    assert [c.tag for c in completions] == [100 + i for i in range(21)]
    assert {c.code for c in completions} == {Code.OK}
    for d, expected in work:
        np.testing.assert_array_equal(read_d(device, d), expected)
    assert device.wait() == []


def test_one_interrupt_and_doorbell_a_queue():
    device, transport = open_fake(ring_slots=32)
    transport.log.clear()
    device.submit([descriptor(device, seed=i)[0] for i in range(20)])
    device.wait()
    assert transport.log == ["rest", ("ring_tail", 20), ("irq_pending", 1)]
    assert transport.run_counts == [20]


def test_refill_before_ring_is_empty():
    device, transport = open_fake(ring_slots=8)
    device.submit([descriptor(device, seed=i)[0] for i in range(12)])
    device.wait()
    assert transport.run_counts == [4, 4, 4]


def test_attended_device_gets_whole_rings():
    """However it is submitted, and whatever interrupts: one doorbell for all that the ring holds."""
    device, transport = open_fake(ring_slots=8, unattended=False)
    transport.log.clear()
    for count in (1, 9, 2):
        device.submit([descriptor(device, seed=i, interrupt=i == 3)[0] for i in range(count)])
    assert transport.log == []
    assert len(device.wait()) == 12
    doorbells = [entry for entry in transport.log if entry != ("irq_pending", 1)]
    assert doorbells == ["rest", ("ring_tail", 8), "rest", ("ring_tail", 12)]
    assert transport.run_counts == [5, 3, 4]


def test_counts_wrap():
    device, transport = open_fake(ring_slots=4)
    d, _ = descriptor(device)
    transport.registers["ring_head"] = transport.registers["ring_tail"] = 4093
    device._start()
    for _ in range(3):
        device.submit([d, d, d])
        assert len(device.wait()) == 3
    assert transport.registers["ring_head"] == transport.registers["ring_tail"] == (4093 + 9) % 4096


@pytest.mark.parametrize(("code", "access"), [(Code.READ_ERROR, "read"), (Code.WRITE_ERROR, "write")])
def test_bus_error(code, access):
    device, transport = open_fake()
    transport.faults[1] = code
    work = [descriptor(device, seed=i) for i in range(3)]
    device.submit([d for d, _ in work])
    with pytest.raises(BusError, match=f"^bus error: the {access} at address 0x00dead00 failed$") as info:
        device.wait()
    assert info.value.address == 0xDEAD00
    assert [c.code for c in info.value.completions] == [Code.OK, code, Code.OK]
    device.submit([work[1][0]])
    device.wait()
    np.testing.assert_array_equal(read_d(device, work[1][0]), work[1][1])


@pytest.mark.parametrize("tag", [0, 5])
@pytest.mark.parametrize("count", [1, 6, 9])
def test_unreadable_descriptor(tag, count):
    """The device cannot know its tag, and reports 0."""
    device, transport = open_fake(ring_slots=4)
    d, expected = descriptor(device, tag=tag)
    transport.faults[count - 1] = "fetch"
    device.submit([d] * count)
    address = device._ring + 128 * ((count - 1) % 4)
    with pytest.raises(BusError, match=f"^bus error: the read at address {address:#010x} failed$") as info:
        device.wait()
    assert [c.code for c in info.value.completions] == [Code.OK] * (count - 1) + [Code.READ_ERROR]
    device.submit([d])
    device.wait()
    np.testing.assert_array_equal(read_d(device, d), expected)


@pytest.mark.parametrize("changes", [{"tag": 6}, {"fault_address": 0x80}, {"code": Code.OK}])
def test_wrong_tag_of_a_read_error(changes):
    """Another tag than 0, or an error elsewhere, is no descriptor that could not be read."""
    device, transport = open_fake()
    transport.faults[0] = "fetch"
    d, _ = descriptor(device, tag=5)
    device.submit([d])
    original = transport.write

    def write(address, data):
        completion = Completion.unpack(data.tobytes())
        original(address, np.frombuffer(dataclasses.replace(completion, **changes).pack(), np.uint8))

    transport.write = write
    with pytest.raises(ProtocolError, match="tag must be 0x00000005, the device wrote 0x0000000"):
        device.wait()


def test_rejected():
    device, _ = open_fake()
    d, _ = descriptor(device, m_block=300)
    device.submit([d])
    with pytest.raises(
        DescriptorRejected, match=r"^the device rejected a GEMM of batch 1, M 3, K 5, N 7: CAPACITY$"
    ) as info:
        device.wait()
    assert info.value.reason is Reject.CAPACITY
    assert info.value.descriptor is d


@pytest.mark.parametrize("burst", [1, 1000])
def test_fault(burst):
    device, transport = open_fake(burst=burst)
    transport.faults[1] = "record"
    work = [descriptor(device, seed=i) for i in range(3)]
    device.submit([d for d, _ in work])
    with pytest.raises(BusError, match="the completion record write at address 0x000000c0 failed"):
        device.wait()
    device.submit([d for d, _ in work])
    assert [c.code for c in device.wait()] == [Code.OK] * 3


def test_no_progress():
    device, transport = open_fake(max_cycles=1234)
    transport.faults[1] = "hang"
    device.submit([descriptor(device)[0] for _ in range(3)])
    message = (
        "the device makes no progress: no interrupt within 1234 cycles; ring_head is 1, ring_tail 3; "
        r"2 descriptors in flight, busy: weight feeder, reads outstanding \(activity 0x00000248\)"
    )
    with pytest.raises(NoProgress, match=re.compile(message)):
        device.wait()
    with pytest.raises(DeviceError, match=r"^the device is stuck; reset it first$"):
        device.submit([descriptor(device)[0]])
    device.reset()
    d, expected = descriptor(device, seed=9)
    device.submit([d])
    device.wait()
    np.testing.assert_array_equal(read_d(device, d), expected)


def test_wrong_tag():
    device, transport = open_fake()
    device.submit([descriptor(device, tag=5)[0]])
    original = transport.write

    def write(address, data):
        if data.size == 64:
            data = data.copy()
            data[8] = 6
        original(address, data)

    transport.write = write
    with pytest.raises(ProtocolError, match="tag must be 0x00000005, the device wrote 0x00000006"):
        device.wait()


def test_interrupts_without_completions():
    device, transport = open_fake()
    device.submit([descriptor(device)[0]])
    transport.wait_interrupt = lambda max_cycles: True
    with pytest.raises(NoProgress, match="interrupts without completions"):
        device.wait()


@pytest.mark.parametrize("visible", [True, False])
@pytest.mark.parametrize("memory_base", [0, 0x4000_0000])
def test_matmul(visible, memory_base):
    """All of the runtime works without a view of the memory, and wherever the memory begins."""
    device, _ = open_fake(visible=visible, memory_base=memory_base)
    rng = np.random.default_rng(1)
    a, b = rng.integers(-128, 128, (2, 9, 33), np.int8), rng.integers(-128, 128, (33, 11), np.int8)
    np.testing.assert_array_equal(matmul(a, b, device=device), gemm(a, b))
    epilogue = {"bias": 77, "multiplier": 40000, "shift": 25, "relu": True, "out": "int8"}
    np.testing.assert_array_equal(matmul(a, b, device=device, **epilogue), gemm(a, b, **epilogue))
    with PackedWeight(np.ascontiguousarray(b.T), device=device, b_layout="nk") as weight, device.queue() as q:
        x = q.empty(a.shape)
        x.array[...] = a
        results = [q.matmul(x, weight, label=str(i)) for i in range(3)]
    for result in results:
        np.testing.assert_array_equal(result.view(), gemm(a, b))
        assert result.record.counters.total == 10
    assert device.trace.seconds > 0


def test_interrupted_queue_resets(monkeypatch):
    device, transport = open_fake()
    a = np.ones((2, 3), np.int8)
    with monkeypatch.context() as patch:

        def interrupt(max_cycles):
            raise KeyboardInterrupt

        patch.setattr(transport, "wait_interrupt", interrupt)
        with pytest.raises(KeyboardInterrupt):
            matmul(a, a.T, device=device)
    np.testing.assert_array_equal(matmul(a, a.T, device=device), gemm(a, a.T))


def test_closed():
    device, _ = open_fake()
    d, _ = descriptor(device)
    device.close()
    device.close()
    for use in (lambda: device.submit([d]), device.wait, device.queue, device.reset):
        with pytest.raises(DeviceClosed, match=r"^the fake device is closed$"):
            use()
