"""Targets opened by name."""

import inspect
import re

import pytest
import systolith.golden
import systolith.serial
import systolith.simulated.model
import systolith.simulated.rtl
from systolith import TARGETS, ArrayConfig, DeviceError, UnknownTarget, open_device


def test_open_wrong_target():
    names = (
        name if facts.argument is None else f"{name}:{facts.argument}" for name, facts in TARGETS.items()
    )
    message = f"target must be one of {', '.join(names)}, not 'fpga'"
    with pytest.raises(UnknownTarget, match=f"^{re.escape(message)}$") as info:
        open_device("fpga")
    assert isinstance(info.value, DeviceError)
    assert isinstance(info.value, ValueError)


def test_open_wrong_config():
    with pytest.raises(TypeError, match=r"^config must be an ArrayConfig, not '16x16'$"):
        open_device("golden", "16x16")


def test_open_wrong_option():
    with pytest.raises(
        TypeError, match=r"^target golden has the options memory_bytes, memory_base, memory, not colour$"
    ):
        open_device("golden", colour="red")
    message = (
        "target rtl has the options memory_bytes, memory, timing, lowering, variant, cache, progress, "
        "ring_slots, max_cycles, not memory_latency"
    )
    with pytest.raises(TypeError, match=f"^{message}$"):
        open_device("rtl", memory_latency=3)


@pytest.mark.parametrize("target", [pytest.param("rtl", marks=pytest.mark.slow), "golden"])
@pytest.mark.parametrize("memory_bytes", [0, -5, 100, (1 << 32) + 4096, 4096.0])
def test_open_wrong_memory_bytes(target, memory_bytes):
    message = re.escape(f"memory_bytes must be a multiple of 4096 up to 4 GiB, not {memory_bytes!r}")
    with pytest.raises(ValueError, match=f"^{message}$"):
        open_device(target, ArrayConfig(rows=2, columns=2), memory_bytes=memory_bytes)


def test_every_option_is_documented():
    for module in (systolith.golden, systolith.serial, systolith.simulated.model, systolith.simulated.rtl):
        for name, parameter in inspect.signature(module.open_target).parameters.items():
            assert parameter.kind is not parameter.KEYWORD_ONLY or f"- ``{name}`` (" in open_device.__doc__
