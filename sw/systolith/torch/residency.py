"""How much of an offloaded model's weights the device's memory holds."""

import math
from typing import NamedTuple

from systolith.operands import PackedWeight

from .weights import ACTIVATION_SHARE, packed_bytes

__all__ = ["Residency", "residency"]


class Residency(NamedTuple):
    """Where the weights of a model are, in bytes.

    Members
    -------
    weight_bytes : int
        All that the device multiplies with, tied ones once, rows padded to the device's bus.
    resident_bytes : int
        Those that were packed into its memory once. The others are copied there with every product.
    needed_bytes : int
        Least device memory that holds them all, besides what others have put there.
    """

    weight_bytes: int
    resident_bytes: int
    needed_bytes: int


def residency(model):
    """Where the weights of a model from :func:`~systolith.torch.offload` are.

    Parameters
    ----------
    model : Module

    Returns
    -------
    Residency
    """
    sites = [module._systolith for module in model.modules() if "_systolith" in module.__dict__]
    sizes = {
        weight: packed_bytes(weight.packed.shape, site.engine.device)
        for site in sites
        for weight in site.weights
    }
    total = sum(sizes.values())
    resident = sum(size for weight, size in sizes.items() if isinstance(weight.packed, PackedWeight))
    return Residency(total, resident, math.ceil(total * ACTIVATION_SHARE / (ACTIVATION_SHARE - 1)))
