"""The systolith runtime: matrix products of NumPy arrays on an accelerator."""

from systolith_hw import ArrayConfig

from .device import Device
from .errors import (
    BusError,
    ConfigurationMismatch,
    DescriptorRejected,
    DeviceClosed,
    DeviceError,
    LinkError,
    NoProgress,
    OutOfDeviceMemory,
    ProtocolError,
    TargetUnavailable,
    UnknownTarget,
    WorkerDied,
)
from .matmul import matmul
from .memory import Buffer
from .opening import open_device
from .operands import Operand, PackedWeight
from .pending import Pending
from .pool import Pool, open_pool
from .queue import Queue
from .records import Record, Share, Trace
from .targets import TARGETS

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
    "LinkError",
    "NoProgress",
    "Operand",
    "OutOfDeviceMemory",
    "PackedWeight",
    "Pending",
    "Pool",
    "ProtocolError",
    "Queue",
    "Record",
    "Share",
    "TargetUnavailable",
    "Trace",
    "UnknownTarget",
    "WorkerDied",
    "matmul",
    "open_device",
    "open_pool",
]
