"""Quantization in torch: the same numbers as in NumPy, and clear errors."""

import numpy as np
import pytest
import torch
from systolith.quantize import quantize as quantize_numpy
from systolith.torch.quantize import quantize

INPUTS = {
    "random": lambda: torch.randn(5, 33),
    "wide": lambda: torch.randn(5, 33) * torch.logspace(-30, 30, 5)[:, None],
    "zeros": lambda: torch.zeros(3, 4),
    "one row of zeros": lambda: torch.tensor([[0.0, 0.0], [1.0, -2.0]]),
    "ties": lambda: torch.tensor([[127.0, 0.5, 1.5, 2.5, -0.5, -126.5]]),
    "subnormal": lambda: torch.tensor([[1e-40, -1e-39], [1e-36, 2e-36]]),
    "largest": lambda: torch.tensor([[torch.finfo(torch.float32).max, 1.0]]),
    "one": lambda: torch.tensor([[-3.0]]),
    "transposed": lambda: torch.randn(4, 6).T,
}


@pytest.mark.parametrize("dim", [-1, -2])
@pytest.mark.parametrize("make", INPUTS.values(), ids=INPUTS)
def test_quantize_as_numpy(make, dim):
    x = make()
    values, scale = quantize(x, dim=dim, what="x")
    elements, numpy_scale = quantize_numpy(x.numpy(), axis=dim)
    np.testing.assert_array_equal(values.to(torch.int8).numpy(), elements)
    np.testing.assert_array_equal(scale.numpy(), numpy_scale)
    assert values.abs().max() <= 127


def test_quantize_leaves_input():
    x = torch.randn(3, 4)
    before = x.clone()
    quantize(x, dim=-1, what="x")
    assert torch.equal(x, before)


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_quantize_wrong_value(value):
    x = torch.randn(3, 4)
    x[1, 2] = value
    with pytest.raises(ValueError, match=r"^the input of fc holds NaN or infinity and cannot be quantized$"):
        quantize(x, dim=-1, what="the input of fc")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64, torch.int8])
def test_quantize_wrong_dtype(dtype):
    with pytest.raises(TypeError) as error:
        quantize(torch.ones(3, 4, dtype=dtype), dim=-1, what="x")
    assert str(error.value) == f"x must be torch.float32, not {dtype}: convert the model with .float()"


def test_quantize_wrong_device():
    with pytest.raises(
        ValueError, match=r"^x must be on the CPU, not on meta: move the model with \.cpu\(\)$"
    ):
        quantize(torch.ones(3, 4, device="meta"), dim=-1, what="x")
