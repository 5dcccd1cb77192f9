"""The rotation along K: what it leaves alone, and what it is good for."""

import numpy as np
import pytest
import scipy.linalg
import torch
from systolith.quantize import quantize
from systolith.torch import offload
from systolith.torch.rotation import rotate_activations, rotate_weight
from torch import nn


@pytest.mark.parametrize(("k", "block"), [(1, 1), (7, 1), (6, 2), (24, 8), (64, 64), (576, 64), (1536, 64)])
def test_rotation(k, block):
    """Against SciPy's Hadamard matrix, in float64."""
    x, weight = torch.randn(2, 5, k), torch.randn(9, k)
    matrix = np.kron(np.eye(k // block), scipy.linalg.hadamard(block))
    rotated = rotate_activations(x), rotate_weight(weight)
    np.testing.assert_allclose(rotated[0].numpy(), x.double().numpy() @ matrix / block, atol=1e-6)
    np.testing.assert_allclose(rotated[1].numpy(), weight.double().numpy() @ matrix, atol=2e-5)
    torch.testing.assert_close(rotated[0] @ rotated[1].T, x @ weight.T, atol=1e-4, rtol=1e-4)


def test_rotation_does_not_overflow():
    x = torch.full((3, 128), torch.finfo(torch.float32).max)
    x[1] *= -1
    x[2, ::2] *= -1
    assert rotate_activations(x).isfinite().all()


def test_rotation_of_a_column():
    """Strided tensors come out as their copies do."""
    x = torch.randn(8, 6).T
    assert torch.equal(rotate_activations(x), rotate_activations(x.contiguous()))
    assert torch.equal(rotate_weight(x), rotate_weight(x.contiguous()))


def test_rotation_pays(golden):
    """A feature that stands out, as transformers have them."""
    model = nn.Linear(64, 64)
    x = torch.randn(50, 64)
    x[:, 5] *= 50
    converted = offload(model, device=golden)
    with torch.inference_mode():
        error = (converted(x) - model(x)).norm()
        plain_x, x_scale = quantize(x.numpy())
        plain_w, w_scale = quantize(model.weight.detach().numpy())
        plain = (plain_x * x_scale) @ (plain_w * w_scale).T + model.bias.numpy()
        plain_error = np.linalg.norm(plain - model(x).numpy())
    assert error < plain_error / 2
