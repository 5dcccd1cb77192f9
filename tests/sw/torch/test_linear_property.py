"""Linear layers of any size on every target: bits, and the error that quantization may make."""

import hypothesis
import torch
from hypothesis import strategies as st
from sw.torch.conftest import Recorder
from systolith.torch import offload
from torch import nn

SIZES = st.one_of(st.integers(1, 200), st.sampled_from([1, 2, 15, 16, 17, 31, 33, 63, 64, 65, 128]))
EXAMPLES = {"golden": 60, "rtl": 8}


def test_linear_of_any_size(device):
    @hypothesis.settings(max_examples=EXAMPLES[device.target], derandomize=True)
    @hypothesis.given(
        m=SIZES,
        k=SIZES,
        n=SIZES,
        bias=st.booleans(),
        magnitude=st.sampled_from([1e-20, 1e-3, 1.0, 1e10]),
        seed=st.integers(0, 2**31 - 1),
    )
    def check(m, k, n, bias, magnitude, seed):
        torch.manual_seed(seed)
        model = nn.Linear(k, n, bias=bias)
        recorder = Recorder()
        converted = offload(model, device=device, verifier=recorder)
        x = torch.randn(m, k) * magnitude
        with torch.inference_mode():
            result, wanted = converted(x), model(x)
        recorder.check_with_oracle()
        # a product of two elements is off by about half a step of each, and equalization stretches steps
        weight = model.weight.detach()
        steps = x.abs().amax(-1, keepdim=True) * weight.abs().amax(-1) * k / 127
        assert ((result - wanted).abs() <= 4 * steps + 1e-5 * wanted.abs()).all()

    check()
