"""A board behind a serial line, as a target."""

from .device import SerialDevice, open_target
from .transport import SerialTransport

__all__ = ["SerialDevice", "SerialTransport", "open_target"]
