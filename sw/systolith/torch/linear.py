"""``nn.Linear`` on the device."""

import torch
from torch import nn

__all__ = ["OffloadedLinear"]


class OffloadedLinear(nn.Linear):
    """A linear layer whose product runs on the device; ``weight`` and ``bias`` stay the float parameters.

    :func:`~systolith.torch.offload` makes it of an ``nn.Linear`` by changing its class, so parameters,
    hooks and the keys of ``state_dict()`` remain. Changed parameters are packed again when next used; what
    is written through ``weight.data`` needs :func:`~systolith.torch.repack`.
    """

    transposed = False

    def forward(self, input):  # noqa: A002 -- the name that nn.Linear has
        """(…, in_features) float32 to (…, out_features) float32; see :meth:`Site.linear`.

        The sequences of a nested tensor are one product, without padding.
        """
        if input.is_nested:
            sequences = input.unbind()
            result = self.forward(torch.cat(sequences)).split([len(sequence) for sequence in sequences])
            return torch.nested.as_nested_tensor(list(result))
        return self._systolith.linear(input, self.weight, self.bias)
