"""Scales of activations that are known beforehand, from running a model on examples."""

from .offload import offload
from .quantize import QUANTIZED_MAX, SMALLEST_SCALE, quantize
from .scheme import Scheme, quantize_within

__all__ = ["TOLERANCE", "Calibration", "calibrate"]

TOLERANCE = 0.05
"""Error of a token's activations, over their own size, up to which a layer keeps a scale known beforehand.

A scale per token costs 0.01. SmolLM2 has 203 of 211 layers below this, which cost 1 % of its perplexity; the
other eight cost 15 %."""


class Calibration:
    """What fixed scales would do to every layer, measured on examples.

    Members
    -------
    limits : dict of str to float
        Largest magnitude of each layer's activations, by its label; layers without any are left out.
    errors : dict of str to float
        Root mean square, over all tokens, of the error that a fixed scale makes in a token's activations,
        relative to their size.
    """

    def __init__(self, limits, errors):
        self.limits = limits
        self.errors = errors

    def scheme(self, *, tolerance=TOLERANCE):
        """Fixed scales for the layers that can bear them, a scale per token for the others.

        Parameters
        ----------
        tolerance : float or None
            Largest error of a layer with a fixed scale. ``None``: all layers get one, whatever it does.

        Returns
        -------
        Scheme
        """
        return Scheme(
            limits={
                label: limit
                for label, limit in self.limits.items()
                if tolerance is None or self.errors[label] <= tolerance
            }
        )


def calibrate(model, run, *, device):
    """Measure what fixed scales would do to a model's layers.

    Parameters
    ----------
    model : Module
        As for :func:`~systolith.torch.offload`.
    run : callable
        Called twice with an offloaded copy of the model, to run it on the same examples: typical ones, but
        none that the result will be judged by.
    device : Device
        Computes the products meanwhile.

    Returns
    -------
    Calibration

    Raises
    ------
    ValueError
        If ``run`` does not use the layers, or the second time not the same ones as the first.
    TypeError, ValueError, DeviceError
        As :func:`~systolith.torch.offload`, and what ``run`` raises.
    """
    observer = _Observer()
    offloaded = offload(model, device=device, scheme=observer)
    run(offloaded)
    observer.measuring = True
    run(offloaded)
    observer.check()
    errors = {label: (total / count) ** 0.5 for label, (total, count) in observer.sums.items()}
    return Calibration({label: observer.limits[label] for label in errors}, errors)


class _Observer:
    """Quantizes per token as a scheme does; finds limits first, then the errors that they make."""

    def __init__(self):
        self.limits = {}
        self.measured = set()
        self.sums = {}
        self.measuring = False

    def check(self):
        """That both runs used the same layers."""
        if not self.limits:
            raise ValueError("run used no layer of the model that it was given: have it call the model")
        different = sorted(self.limits.keys() ^ self.measured)
        if different:
            raise ValueError(
                f"run used {different[0]} in one of its two calls only: have it run the same examples each "
                "time, which an iterator does not give twice"
            )

    def quantize(self, x, *, label, what):
        quantized = quantize(x, dim=-1, what=what)
        if not self.measuring:
            self.limits[label] = max(self.limits.get(label, 0.0), x.abs().amax().item())
            return quantized
        self.measured.add(label)
        limit = self.limits.get(label, 0.0)
        if limit >= SMALLEST_SCALE * QUANTIZED_MAX:
            fixed = quantize_within(x, limit, what=what)
            wrong = (fixed.values * fixed.scale - x).square_().sum(dim=-1)
            sizes = x.square().sum(dim=-1).clamp_min_(SMALLEST_SCALE)
            total, count = self.sums.get(label, (0.0, 0))
            self.sums[label] = total + (wrong / sizes).sum().item(), count + sizes.numel()
        return quantized
