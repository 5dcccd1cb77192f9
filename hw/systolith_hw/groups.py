"""What goes into the epilogue and what comes out: rows, and groups of neighbouring columns of a row."""

from amaranth.hdl import signed
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from .config import ACCUMULATOR_BITS
from .weight_feeder import ParameterLine

__all__ = ["GroupLayout", "GroupTraits", "RowTraits", "epilogue_members"]


class RowTraits(data.StructLayout):
    """Where one row of accumulators is, and how it is to be treated and stored."""

    def __init__(self, config):
        super().__init__(
            {
                "int8": 1,
                "relu": 1,
                "parameters": 1,
                "half": 1,
                "accumulator_row": range(config.accumulator_rows),
                "columns": bits_for(config.columns),
                "offset": range(config.bus_bytes),
                "tile_end": 1,
            }
        )


class GroupTraits(data.StructLayout):
    """What is to become of the results of a group.

    ``position`` is where in its beat the group is, counted in groups; ``tail`` how many of its columns are
    the row's, or 0 if all are.
    """

    def __init__(self, config):
        super().__init__(
            {
                "position": range(max(1, config.bus_bytes // config.epilogue_lanes)),
                "row_end": 1,
                "int8": 1,
                "tail": range(config.epilogue_lanes),
            }
        )


class GroupLayout(data.StructLayout):
    """Results of a group, and its traits.

    An int8 result is in every byte of its value, so that few bytes have to be moved into beats.
    """

    def __init__(self, config):
        values = data.ArrayLayout(signed(ACCUMULATOR_BITS), config.epilogue_lanes)
        super().__init__({"values": values, **GroupTraits(config).members})


def epilogue_members(config):
    """The members of either epilogue.

    ``rows`` is a stream of RowTraits: a row to be read from the accumulators in this cycle. ``accumulators``
    is that row, from the cycle after it was accepted until the next is; ``parameters`` are of a tile to come.
    ``groups`` is a stream of GroupLayout. ``tile_release``: accumulators and parameters of a tile are no
    longer needed. Back-pressure is honoured on both streams.
    """
    return {
        "rows": In(stream.Signature(RowTraits(config))),
        "accumulators": In(data.ArrayLayout(signed(ACCUMULATOR_BITS), config.columns)),
        "parameters": In(ParameterLine(config)),
        "groups": Out(stream.Signature(GroupLayout(config))),
        "tile_release": Out(1),
    }
