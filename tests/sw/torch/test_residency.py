"""How much of a model the device's memory holds."""

import pytest
from systolith import open_device
from systolith.torch import offload
from systolith.torch.residency import residency
from torch import nn


def model():
    tied = nn.Linear(64, 64)
    return nn.Sequential(*[nn.Linear(64, 64) for _ in range(7)], tied, tied, nn.Linear(64, 1024))


@pytest.mark.parametrize("memory_bytes", [1 << 20, 1 << 17])
def test_whole(memory_bytes):
    with open_device("golden", memory_bytes=memory_bytes) as device:
        where = residency(offload(model(), device=device))
    weight_bytes = 8 * 64 * 64 + 64 * 1024
    assert where == (weight_bytes, weight_bytes, -(-weight_bytes * 4 // 3))


def test_in_part():
    """What is told to be needed is enough, and not much less is."""
    with open_device("golden", memory_bytes=1 << 16) as device:
        where = residency(offload(model(), device=device))
    assert where.weight_bytes == 8 * 64 * 64 + 64 * 1024
    assert where.resident_bytes == 8 * 64 * 64
    check_needed(model, where)


def check_needed(make, where):
    page = 4096
    enough = -(-where.needed_bytes // page) * page
    for memory_bytes, resident in ((enough, where.weight_bytes), (enough - 2 * page, where.resident_bytes)):
        with open_device("golden", memory_bytes=memory_bytes) as device:
            assert residency(offload(make(), device=device)).resident_bytes == resident


def test_padded():
    """Rows are as long as the device's bus at least."""

    def make():
        return nn.ModuleList(nn.Linear(17, 2000, bias=False) for _ in range(3))

    with open_device("golden", memory_bytes=3 << 16) as device:
        padded = -(-17 // device.config.bus_bytes) * device.config.bus_bytes
        where = residency(offload(make(), device=device))
    assert padded > 17
    assert where[:2] == (3 * 2000 * padded, 2 * 2000 * padded)
    check_needed(make, where)
