"""How much of the device memory the ring takes."""

import numpy as np
import pytest
from sw.oracle import gemm
from systolith import ArrayConfig, matmul, open_device
from systolith.ring import ring_size


@pytest.mark.parametrize(
    ("memory_bytes", "slots"), [(1 << 29, 256), (1 << 19, 256), (1 << 18, 128), (3 << 14, 16), (1 << 12, 2)]
)
def test_ring_size(memory_bytes, slots):
    """A sixteenth of the memory at most, a power of two."""
    assert ring_size(None, memory_bytes=memory_bytes) == slots
    assert ring_size(64, memory_bytes=memory_bytes) == 64


@pytest.mark.parametrize("target", ["model", "rtl"])
def test_few_addresses(target):
    """Addresses that reach no further than a ring of the usual size: products are run in parts."""
    config = ArrayConfig.parse("2x2-axi32-a64-b32-acc8-e1-burst8-o2-ds2-addr15-dim13")
    rng = np.random.default_rng(0)
    a, b = (rng.integers(-128, 128, shape, np.int8) for shape in ((3, 200), (200, 300)))
    with open_device(target, config) as device:
        assert device.memory_bytes == 1 << 15
        np.testing.assert_array_equal(matmul(a, b, device=device), gemm(a, b))
        assert len(device.trace) > 1
