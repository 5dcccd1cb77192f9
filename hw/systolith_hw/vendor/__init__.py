"""What parts of one vendor have beside logic: multipliers, memory and clocks, behind one interface."""

from .ecp5 import ECP5
from .generic import GENERIC
from .gowin import GW1N9C, GW2A18C
from .ice40 import ICE40UP
from .interface import ClockError, Pll, Vendor
from .xilinx import SERIES7

__all__ = ["ECP5", "GENERIC", "GW1N9C", "GW2A18C", "ICE40UP", "SERIES7", "ClockError", "Pll", "Vendor"]
