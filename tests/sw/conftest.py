"""Devices for the runtime's tests: opened once, shared by all tests of a process."""

import pytest
from systolith import open_device


@pytest.fixture(scope="session")
def open_shared():
    """From a target and a configuration to a device; one that cannot be built fails the test."""
    devices = {}

    def open_one(target, config):
        key = target, config
        if key not in devices:
            devices[key] = open_device(target, config, memory_bytes=1 << 24)
        return devices[key]

    yield open_one
    for device in devices.values():
        device.close()


@pytest.fixture
def golden():
    """A golden device of its own."""
    with open_device("golden", memory_bytes=1 << 22) as device:
        yield device
