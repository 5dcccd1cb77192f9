"""The verifier: finds one wrong bit, and says where."""

import numpy as np
import pytest
import torch
from systolith.torch import Verifier, offload
from torch import nn


def product(rng, shape=(2, 3, 5)):
    a = rng.integers(-128, 128, shape, np.int8)
    b = rng.integers(-128, 128, (2, 4, 5), np.int8)
    return a, b, np.einsum("bmk,bnk->bmn", a.astype(np.int32), b.astype(np.int32))


def test_verifier_right():
    verifier = Verifier()
    assert not verifier.bit_exact
    a, b, result = product(np.random.default_rng(1))
    verifier.check("x", a, b, "nk", result)
    assert verifier.bit_exact
    assert verifier.checked == 1


@pytest.mark.parametrize("change", [1, -1, 1 << 20])
def test_verifier_wrong_element(change):
    verifier = Verifier()
    a, b, result = product(np.random.default_rng(1))
    wanted = int(result[1, 2, 3])
    result[1, 2, 3] += change
    verifier.check("layer.q", a, b, "nk", result)
    assert not verifier.bit_exact
    assert [str(mismatch) for mismatch in verifier.mismatches] == [
        f"layer.q: element [1, 2, 3] is {wanted + change}, not {wanted} (1 elements differ)"
    ]


def test_verifier_in_a_model(golden, monkeypatch):
    """A device that computes something else is found out."""
    run = type(golden)._run

    def run_wrong(self, descriptor):
        completion = run(self, descriptor)
        self.memory[descriptor.d_address - self.memory_base] ^= 1
        return completion

    verifier = Verifier()
    model = offload(nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 4)), device=golden, verifier=verifier)
    with torch.inference_mode():
        model(torch.randn(3, 8))
        assert verifier.bit_exact
        monkeypatch.setattr(type(golden), "_run", run_wrong)
        model(torch.randn(3, 8))
    assert verifier.checked == 4
    assert [mismatch.label for mismatch in verifier.mismatches] == ["0", "1"]
    assert all(mismatch.index == (0, 0) for mismatch in verifier.mismatches)
