"""The widest components in the form of loops, which a C++ compiler turns into SIMD instructions.

Their definition is the Amaranth description in :mod:`systolith_hw`; these have the same ports and the same
behaviour in every cycle.
"""

from .lowering import loop_lowering, loop_source

__all__ = ["loop_lowering", "loop_source"]
