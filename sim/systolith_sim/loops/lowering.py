"""All of an accelerator's loops."""

from systolith_hw.accelerator import Lowering
from systolith_hw.array import psum_latency
from systolith_hw.config import OPERAND_BITS
from systolith_hw.row_feeder import RowFeeder

from .accumulators import LoopAccumulators, accumulators_source
from .array import LoopArray, array_source
from .lanes import LoopLanes, lanes_source

__all__ = ["loop_lowering", "loop_source"]


def loop_lowering(config):
    """The components in the form of loops; array and accumulators only where a tile is one column.

    Parameters
    ----------
    config : ArrayConfig

    Returns
    -------
    Lowering
    """
    if config.tile_columns > 1:
        return Lowering(lanes=LoopLanes)
    return Lowering(array=LoopArray, accumulators=LoopAccumulators, lanes=LoopLanes)


def loop_source(config):
    """SystemVerilog of the modules that an accelerator lowered to loops instantiates.

    Parameters
    ----------
    config : ArrayConfig
    """
    lanes = lanes_source(lanes=config.epilogue_lanes) if config.lane_cycles == 1 else ""
    if config.tile_columns > 1:
        return lanes
    return (
        array_source(rows=config.rows, columns=config.columns, operand_bits=OPERAND_BITS)
        + accumulators_source(
            columns=config.columns,
            rows=config.accumulator_rows,
            delay_cycles=RowFeeder.LATENCY + psum_latency(config.rows),
        )
        + lanes
    )
