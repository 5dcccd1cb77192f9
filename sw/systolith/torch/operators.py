"""Torch's operators that multiply matrices, computed on the device: what a rewritten graph calls.

Each takes the :class:`~.site.Site` that it computes at, then the arguments of what it stands for.
"""

import torch
from torch.nn import functional

__all__ = ["addmm", "einsum", "linear", "matmul", "parse_einsum"]


def linear(site, x, weight, bias=None):
    """``functional.linear`` with a weight that is computed, not a parameter: packed at every call."""
    if 0 in (*x.shape, *weight.shape):
        return functional.linear(x, weight, bias)
    if weight.dim() == 1:
        result = _product(site, x, weight.unsqueeze(0), "nk").squeeze(-1)
    else:
        result = _product(site, x, weight, "nk")
    return result if bias is None else result + bias


def matmul(site, a, b):
    """``torch.matmul``, ``mm`` and ``bmm``: vectors, matrices and batches of them, which broadcast."""
    if 0 in (*a.shape, *b.shape):
        return torch.matmul(a, b)
    if b.dim() == 1:
        return _product(site, a, b.unsqueeze(0), "nk").squeeze(-1)
    return _product(site, a, b, "kn")


def _product(site, a, b, b_layout):
    """``site.product`` of a vector or matrices with matrices; a batch that meets one B is one matrix."""
    if b.dim() == 2 and a.dim() > 2:
        return site.product(a.flatten(0, -2), b, b_layout=b_layout).unflatten(0, a.shape[:-1])
    if a.dim() == 1:
        return site.product(a.unsqueeze(0), b, b_layout=b_layout).squeeze(-2)
    return site.product(a, b, b_layout=b_layout)


def addmm(site, x, a, b, *, beta=1, alpha=1):
    """``torch.addmm`` and ``baddbmm``."""
    result = matmul(site, a, b)
    if alpha != 1:
        result = result * alpha
    return result if beta == 0 else result + (x if beta == 1 else beta * x)


def parse_einsum(equation):
    """The subscripts of an einsum of two operands that is one batched matrix product.

    Returns
    -------
    tuple of str, or None
        Of the first operand, the second, and the result. None where there are other than two operands,
        ellipses, a subscript repeated in an operand, summed in one alone, or none that both sum.
    """
    inputs, arrow, output = equation.replace(" ", "").partition("->")
    operands = inputs.split(",")
    if len(operands) != 2 or "." in equation:
        return None
    a, b = operands
    if not arrow:
        output = "".join(sorted(name for name in {*a, *b} if (a + b).count(name) == 1))
    if any(len(set(names)) != len(names) for names in (a, b, output)):
        return None
    summed = (set(a) | set(b)) - set(output)
    if not summed or not summed <= set(a) & set(b):
        return None
    return a, b, output


def einsum(site, equation, a, b):
    """``torch.einsum`` of two operands, one batched product; see :func:`parse_einsum`."""
    if 0 in (*a.shape, *b.shape):
        return torch.einsum(equation, a, b)
    a_names, b_names, output = parse_einsum(equation)
    batch = [name for name in a_names if name in b_names and name in output]
    k = [name for name in a_names if name in b_names and name not in output]
    m = [name for name in a_names if name not in b_names]
    n = [name for name in b_names if name not in a_names]
    size = {}
    for name, length in zip(a_names + b_names, (*a.shape, *b.shape), strict=True):
        # what is 1 in one operand broadcasts
        size[name] = max(length, size.get(name, 1))

    def matrices(tensor, names, rows):
        count, length = len(batch), len(batch) + len(rows)
        tensor = tensor.expand([size[name] for name in names])
        tensor = tensor.permute([names.index(name) for name in (*batch, *rows, *k)])
        shape = tensor.shape
        return tensor.reshape(*shape[:count], shape[count:length].numel(), shape[length:].numel())

    result = site.product(matrices(a, a_names, m), matrices(b, b_names, n), b_layout="nk")
    names = [*batch, *m, *n]
    result = result.reshape([size[name] for name in names])
    return result.permute([names.index(name) for name in output])
