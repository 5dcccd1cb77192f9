"""From the design to a running model: emission, the Verilator build and its cache, the simulator."""

from .cache import default_cache_folder
from .conditions import MemoryEquals, RegisterEquals
from .errors import (
    BuildError,
    CacheError,
    CompileError,
    MissingToolError,
    NoProgressError,
    ProtocolError,
    RegisterError,
    SimulationError,
)
from .model import build_model, build_verilog, cached_verilog, open_simulator
from .outstanding import Outstanding
from .simulator import RunResult, Simulator
from .timing import MemoryTiming
from .variant import Variant

__all__ = [
    "BuildError",
    "CacheError",
    "CompileError",
    "MemoryEquals",
    "MemoryTiming",
    "MissingToolError",
    "NoProgressError",
    "Outstanding",
    "ProtocolError",
    "RegisterEquals",
    "RegisterError",
    "RunResult",
    "SimulationError",
    "Simulator",
    "Variant",
    "build_model",
    "build_verilog",
    "cached_verilog",
    "default_cache_folder",
    "open_simulator",
]
