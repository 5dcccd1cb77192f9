"""The widest components in the form of loops, which a C++ compiler turns into SIMD instructions.

Their definition is the Amaranth description in :mod:`systolith_hw`; these have the same ports and the same
behaviour in every cycle.
"""

from .accumulators import LoopAccumulators
from .array import LoopArray
from .lanes import LoopLanes
from .source import loop_source

__all__ = ["LoopAccumulators", "LoopArray", "LoopLanes", "loop_source"]
