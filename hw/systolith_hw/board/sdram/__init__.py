"""Device memory in an SDRAM beside the FPGA."""

from .chip import IS42S16160G, OPEN_MIN_CYCLES, SdramChip
from .memory import SdramMemory
from .pads import SdramPads
from .sequencer import SdramPins

__all__ = ["IS42S16160G", "OPEN_MIN_CYCLES", "SdramChip", "SdramMemory", "SdramPads", "SdramPins"]
