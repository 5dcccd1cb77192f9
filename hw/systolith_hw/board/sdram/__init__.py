"""Device memory in an SDRAM beside the FPGA."""

from .chip import IS42S16160G, SdramChip
from .memory import SdramMemory
from .pads import SdramPads
from .sequencer import SdramPins

__all__ = ["IS42S16160G", "SdramChip", "SdramMemory", "SdramPads", "SdramPins"]
