"""The SystemVerilog that one accelerator's loops need."""

from systolith_hw.config import OPERAND_BITS

from .accumulators import accumulators_source
from .array import array_source
from .lanes import lanes_source

__all__ = ["loop_source"]


def loop_source(config):
    """The modules that the loop form of an accelerator instantiates.

    Parameters
    ----------
    config : ArrayConfig
    """
    return (
        array_source(rows=config.rows, columns=config.columns, operand_bits=OPERAND_BITS)
        + accumulators_source(columns=config.columns, rows=config.accumulator_rows)
        + lanes_source(lanes=config.epilogue_lanes)
    )
