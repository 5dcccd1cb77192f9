"""The systolith accelerator: its contract in plain Python, and its components in Amaranth."""

from .config import ArrayConfig
from .descriptor import BLayout, Code, Completion, Counters, Descriptor, Output, Reject
from .registers import REGISTERS, identity

__all__ = [
    "REGISTERS",
    "ArrayConfig",
    "BLayout",
    "Code",
    "Completion",
    "Counters",
    "Descriptor",
    "Output",
    "Reject",
    "identity",
]
