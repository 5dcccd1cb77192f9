"""A rotation along K that spreads large elements evenly before quantization."""

import functools

import torch

__all__ = ["rotate_activations", "rotate_weight"]

BLOCK_MAX = 64
"""Most features that are mixed: more gain little, and every feature of a block costs a multiplication."""


def rotate_activations(x):
    """Mix the features of every token so that none stands out.

    A scale is shared along K, and few features of a transformer are tens of times as large as the others,
    which are left with few of the 255 steps. A Hadamard matrix H turns each block of features into sums of
    all of them, with signs, of about equal size. Since ``(x · H/n) · (w · H)ᵀ = x · wᵀ``, the product stays
    what it was. Against float32, the error of sentence embeddings and of a language model's predictions
    falls to less than a quarter; no calibration data is needed.

    Source: QuaRot (Ashkboos et al., 2024, arXiv:2404.00456), here for each layer by itself, and by blocks.

    Parameters
    ----------
    x : Tensor
        (…, K) float32. Blocks have the largest power of two that divides K, at most 64 features.

    Returns
    -------
    Tensor
        (…, K) float32, no element larger in magnitude than the largest of its block.
    """
    n = _block(x.shape[-1])
    if n == 1:
        return x
    return (x.reshape(-1, n) @ _hadamard(n).div(n)).view(x.shape)


def rotate_weight(weight):
    """What :func:`rotate_activations` asks of the weight.

    Parameters
    ----------
    weight : Tensor
        (N, K) float32.

    Returns
    -------
    Tensor
        (N, K) float32.
    """
    n = _block(weight.shape[-1])
    return (weight.reshape(-1, n) @ _hadamard(n)).view(weight.shape)


def _block(k):
    return min(k & -k, BLOCK_MAX)


@functools.cache
@torch.inference_mode(False)
def _hadamard(n):
    """The symmetric matrix of ±1 with orthogonal rows, for a power of two."""
    if n == 1:
        return torch.ones(1, 1, dtype=torch.float32, device="cpu")
    half = _hadamard(n // 2)
    return torch.cat([torch.cat([half, half], dim=1), torch.cat([half, -half], dim=1)])
