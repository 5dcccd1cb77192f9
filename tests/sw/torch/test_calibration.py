"""Scales that are known beforehand: what they are, which layers get them, and what they change."""

import numpy as np
import pytest
import torch
from systolith.torch import Scheme, calibrate, offload
from systolith.torch.rotation import rotate_activations
from torch import nn


def two_layers():
    return nn.Sequential(nn.Linear(16, 24), nn.ReLU(), nn.Linear(24, 8)).eval()


def examples():
    return torch.randn(4, 10, 16)


@pytest.fixture
def run():
    x = examples()

    def call(model):
        with torch.inference_mode():
            model(x)

    call.x = x
    return call


def test_limits(golden, run):
    model = two_layers()
    calibration = calibrate(model, run, device=golden)
    assert calibration.limits.keys() == calibration.errors.keys() == {"0", "2"}
    largest = rotate_activations(run.x).abs().max().item()
    assert calibration.limits["0"] == largest
    assert all(0 < error < 0.05 for error in calibration.errors.values())
    assert calibration.scheme().limits == calibration.limits


def test_errors(golden, run):
    """Against the definition, in float64."""
    calibration = calibrate(two_layers(), run, device=golden)
    x = rotate_activations(run.x).double().numpy().reshape(-1, 16)
    step = calibration.limits["0"] / 127
    wrong = np.round(x / step) * step - x
    wanted = np.sqrt(np.mean((wrong**2).sum(1) / (x**2).sum(1)))
    assert calibration.errors["0"] == pytest.approx(wanted, rel=1e-3)


def test_fallback(golden):
    """A layer to which one token is a thousand times as large as the others keeps a scale per token."""
    model = two_layers()
    x = examples()
    x[0, 0] *= 1000

    def run(model):
        with torch.inference_mode():
            model[0](x)
            model[2](torch.ones(3, 24))

    calibration = calibrate(model, run, device=golden)
    assert calibration.errors["0"] > 0.5 > 0.05 > calibration.errors["2"]
    assert calibration.scheme().limits.keys() == {"2"}
    assert calibration.scheme(tolerance=None).limits == calibration.limits
    assert calibration.scheme(tolerance=0.0).limits.keys() <= {"2"}


def test_zeros(golden):
    """What is always zero has no scale to be known."""

    def run(model):
        with torch.inference_mode():
            model(torch.zeros(2, 16))

    assert "0" not in calibrate(two_layers(), run, device=golden).scheme().limits


def test_run_uses_nothing(golden):
    with pytest.raises(ValueError, match=r"^run used no layer of the model .*: have it call the model$"):
        calibrate(two_layers(), lambda model: None, device=golden)


def test_run_uses_up_an_iterator(golden):
    batches = iter(examples())

    def run(model):
        with torch.inference_mode():
            for batch in batches:
                model(batch)

    with pytest.raises(ValueError, match=r"^run used 0 in one of its two calls only: have it run the same"):
        calibrate(two_layers(), run, device=golden)


def test_run_uses_another_layer(golden):
    layers = iter((slice(0, 1), slice(0, 3)))

    def run(model):
        with torch.inference_mode():
            model[next(layers)](torch.ones(3, 16))

    with pytest.raises(ValueError, match=r"^run used 2 in one of its two calls only"):
        calibrate(two_layers(), run, device=golden)


def test_offload(golden, recorder):
    """The operands are those of the scale, larger activations clamped."""
    model = two_layers()
    limit = 0.25
    converted = offload(model, device=golden, verifier=recorder, scheme=Scheme(limits={"0": limit}))
    x = examples()
    with torch.inference_mode():
        result = converted(x)
    recorder.check_with_oracle()
    rotated = rotate_activations(x).numpy()
    assert (np.abs(rotated) > limit).any()
    wanted = np.clip(np.round(rotated / np.float32(limit / 127)), -127, 127)
    np.testing.assert_array_equal(recorder.products["0"][0], wanted)
    scale = np.abs(recorder.products["2"][0]).max(axis=-1)
    assert (scale == 127).all()
    assert result.isfinite().all()


def test_wrong(golden):
    for limit in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match=rf"^the limit of 0 must be a positive number, not {limit}$"):
            Scheme(limits={"0": limit})
    converted = offload(two_layers(), device=golden, scheme=Scheme(limits={"0": 1.0}))
    with torch.inference_mode(), pytest.raises(ValueError, match=r"^the input of 0 holds NaN or infinity"):
        converted(torch.full((1, 16), torch.inf))
