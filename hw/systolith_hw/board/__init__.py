"""What surrounds the accelerator on a board: memory, and a serial link to the host."""

from .top import BoardTop

__all__ = ["BoardTop"]
