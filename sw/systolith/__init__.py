"""The systolith runtime: matrix products of NumPy arrays on an accelerator."""

from systolith_hw import ArrayConfig

from .device import TARGETS, Device, open_device
from .errors import (
    BusError,
    ConfigurationMismatch,
    DescriptorRejected,
    DeviceClosed,
    DeviceError,
    NoProgress,
    OutOfDeviceMemory,
    ProtocolError,
    TargetUnavailable,
    UnknownTarget,
)
from .matmul import matmul
from .memory import Buffer
from .operands import Operand, PackedWeight
from .pending import Pending
from .queue import Queue
from .records import Record, Trace

__all__ = [
    "TARGETS",
    "ArrayConfig",
    "Buffer",
    "BusError",
    "ConfigurationMismatch",
    "DescriptorRejected",
    "Device",
    "DeviceClosed",
    "DeviceError",
    "NoProgress",
    "Operand",
    "OutOfDeviceMemory",
    "PackedWeight",
    "Pending",
    "ProtocolError",
    "Queue",
    "Record",
    "TargetUnavailable",
    "Trace",
    "UnknownTarget",
    "matmul",
    "open_device",
]
