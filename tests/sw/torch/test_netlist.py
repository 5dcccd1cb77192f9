"""MiniLM's products on the netlist: the same bits and the same cycles as on rtl."""

import pytest
import torch
from sw.netlists import NETLISTS
from systolith import open_device
from systolith.torch import Verifier, offload
from systolith.torch.models import load_minilm

BOARD = "ulx3s-25f"
MEMORY_BYTES = 1 << 23

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def layer():
    return load_minilm().encoder.encoder.layer[0]


def run(target, module, tokens):
    """The result of an offloaded module, every product of which is compared with golden, and the counters."""
    verifier = Verifier()
    x = torch.randn((1, tokens, 384), generator=torch.Generator().manual_seed(1))
    with open_device(target, NETLISTS[BOARD], memory_bytes=MEMORY_BYTES) as device, torch.inference_mode():
        result = offload(module, device=device, verifier=verifier)(x)
        assert verifier.bit_exact and verifier.macs == device.trace.macs > 0
        return result, [(record.label, record.counters) for record in device.trace]


@pytest.mark.parametrize("part", ["projection", pytest.param("layer", marks=pytest.mark.long)])
def test_minilm(layer, part):
    module, tokens = {"projection": (layer.attention.self.query, 8), "layer": (layer, 4)}[part]
    netlist, netlist_counters = run(f"netlist:{BOARD}", module, tokens)
    rtl, rtl_counters = run("rtl", module, tokens)
    assert torch.equal(netlist, rtl)
    assert netlist_counters == rtl_counters
    labels = {label for label, _ in netlist_counters}
    assert len(labels) == (1 if part == "projection" else 8), labels
