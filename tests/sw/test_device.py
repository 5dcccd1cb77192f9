"""What all devices share: memory, names, traces."""

import numpy as np
import pytest
import systolith
from systolith import ArrayConfig, DeviceClosed, matmul, open_device
from systolith.errors import OutOfDeviceMemory


def test_all_names_exist():
    assert all(hasattr(systolith, name) for name in systolith.__all__)
    assert callable(systolith.matmul)


@pytest.mark.parametrize("target", [pytest.param("rtl", marks=pytest.mark.slow), "golden"])
def test_memory_beyond_addresses(target):
    """What the device cannot address is not used: larger products are cut up as if there were no more."""
    config = ArrayConfig(rows=2, columns=2, address_bits=16, dimension_bits=16)
    rng = np.random.default_rng(0)
    a, b = (rng.integers(-128, 128, shape, np.int8) for shape in ((200, 150), (150, 300)))
    with open_device(target, config, memory_bytes=1 << 20) as device:
        assert device.memory_bytes == 1 << 16
        np.testing.assert_array_equal(matmul(a, b, device=device), a.astype(np.int32) @ b)
        assert len(device.trace) > 1
        with pytest.raises(OutOfDeviceMemory):
            device.allocate(1 << 17)


def test_memory_out_of_reach():
    config = ArrayConfig(rows=2, columns=2, address_bits=14)
    with pytest.raises(ValueError, match=r"^memory_base must be below 0x4000, .*, not 0x4000$"):
        open_device("golden", config, memory_base=1 << 14)


def test_allocate(golden):
    first, second = golden.allocate(1), golden.allocate(100, alignment=4096)
    assert first.address % 64 == 0
    assert second.address % 4096 == 0
    golden.free(first)
    golden.free(second)
    assert golden.free_bytes == golden.memory_bytes
    with pytest.raises(OutOfDeviceMemory):
        golden.allocate(golden.memory_bytes + 1)


def test_allocate_wide_bus():
    with open_device("golden", ArrayConfig(axi_data_bits=512), memory_bytes=1 << 20) as device:
        assert device.alignment_bytes == 64


def test_write_read_view(golden):
    buffer = golden.allocate(64)
    values = np.arange(8, dtype=np.int32).reshape(2, 4)[:, ::-1]
    golden.write(buffer.address, values)
    expected = np.array([3, 2, 1, 0, 7, 6, 5, 4], "<i4")
    np.testing.assert_array_equal(golden.read(buffer.address, 32).view("<i4"), expected)
    view = golden.view(buffer.address, 32)
    view[:] = 9
    assert (golden.read(buffer.address, 32) == 9).all()


@pytest.mark.parametrize(("address", "nbytes"), [(-1, 1), (0, (1 << 22) + 1), (1 << 22, 1), (4, -1)])
def test_read_wrong_range(golden, address, nbytes):
    message = f"{nbytes} bytes at {address:#010x} are not within the device memory, 0x00000000 to 0x00400000"
    for access in (golden.read, golden.view):
        with pytest.raises(ValueError, match=f"^{message}$"):
            access(address, nbytes)


def test_write_wrong_range(golden):
    with pytest.raises(ValueError, match=r"^8 bytes at 0x003ffffc are not within the device memory"):
        golden.write((1 << 22) - 4, np.zeros(1))


def test_closed():
    with open_device("golden", memory_bytes=4096) as device:
        buffer = device.allocate(64)
    device.close()
    device.free(buffer)
    assert "closed" in repr(device)
    for use in (lambda: device.allocate(1), lambda: device.read(0, 1), device.queue, device.wait):
        with pytest.raises(DeviceClosed, match=r"^the golden device is closed$"):
            use()


def test_tracing(golden):
    a = np.ones((3, 4), np.int8)
    matmul(a, a.T, device=golden, label="outer")
    with golden.tracing() as trace:
        matmul(a, a.T, device=golden, label="inner")
    assert [record.label for record in trace] == ["inner"]
    assert [record.label for record in golden.trace] == ["outer"]
