"""What uses the simulation: the simulated targets, the emitted design, and checks of both."""

from .cache import cache_folder, fetch_cached
from .design import emit_verilog
from .rtl import SimulatedDevice
from .timing import memory_timing
from .transport import SimulatorTransport
from .verification import verify_cycles, verify_lowering

__all__ = [
    "SimulatedDevice",
    "SimulatorTransport",
    "cache_folder",
    "emit_verilog",
    "fetch_cached",
    "memory_timing",
    "verify_cycles",
    "verify_lowering",
]
