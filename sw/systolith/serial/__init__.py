"""A board behind a serial line, as a target."""

from .device import open_target
from .transport import SerialTransport

__all__ = ["SerialTransport", "open_target"]
