"""Models compiled for a device, and functions beside themselves uncompiled."""

import torch
from sw.torch.conftest import cosine
from systolith.torch import Verifier


def compile_whole(model, device, **options):
    """The model compiled without graph breaks."""
    return torch.compile(model, backend="systolith", options={"device": device, **options}, fullgraph=True)


def run(function, *inputs, device, verifier=None):
    """What a compiled function returns, beside what it returns uncompiled."""
    verifier = verifier or Verifier()
    options = {"device": device, "verifier": verifier}
    compiled = torch.compile(function, backend="systolith", options=options, fullgraph=True)
    with torch.inference_mode():
        ours, wanted = compiled(*inputs), function(*inputs)
    assert verifier.bit_exact
    assert verifier.macs == sum(record.macs for record in device.trace)
    return ours, wanted


def check(function, *inputs, device, verifier=None):
    ours, wanted = run(function, *inputs, device=device, verifier=verifier)
    assert ours.shape == wanted.shape
    assert ours.dtype == wanted.dtype
    assert cosine(ours, wanted) > 0.99
