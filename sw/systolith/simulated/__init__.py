"""What uses the simulation: the simulated targets, the emitted design, and checks of both."""

from .design import cache_folder, emit_verilog
from .rtl import SimulatedDevice
from .timing import memory_timing
from .transport import SimulatorTransport
from .verification import verify_cycles, verify_lowering

__all__ = [
    "SimulatedDevice",
    "SimulatorTransport",
    "cache_folder",
    "emit_verilog",
    "memory_timing",
    "verify_cycles",
    "verify_lowering",
]
