"""From accumulators to results, a few bits a cycle."""

from amaranth.hdl import Cat, Const, Module, Mux
from amaranth.lib import wiring
from amaranth.lib.wiring import connect, flipped

from .group_walk import GroupWalk
from .groups import GroupTraits, epilogue_members
from .parameter_store import ParameterStore
from .serial_requantizer import PARAMETER_WORD_BITS, SerialRequantizer

__all__ = ["SerialEpilogue"]


class SerialEpilogue(wiring.Component):
    """Requantizes rows of accumulators, a column at a time in ``lane_cycles`` cycles.

    The column's place is the only lane, which is free from the cycle after its result has left.

    Parameters
    ----------
    config : ArrayConfig

    Members
    -------
    rows, accumulators, parameters, groups, tile_release
        See :func:`.groups.epilogue_members`.

    Latency
    -------
    :meth:`latency` cycles from a row to its first group.
    """

    PLACES = 1

    def __init__(self, config):
        self._config = config
        super().__init__(epilogue_members(config))

    @staticmethod
    def latency(config):
        """Cycles from a row to its first group."""
        return config.lane_cycles

    def elaborate(self, platform):
        m = Module()
        config = self._config
        m.submodules.walk = walk = GroupWalk(config)
        m.submodules.store = store = ParameterStore(config, read_bits=PARAMETER_WORD_BITS)
        m.submodules.lane = lane = SerialRequantizer(lane_cycles=config.lane_cycles)
        connect(m, flipped(self.rows), walk.rows)

        operands = lane.operands.payload
        m.d.comb += [
            walk.enter.eq(walk.valid & lane.operands.ready),
            self.tile_release.eq(walk.tile_release),
            lane.operands.valid.eq(walk.valid),
            operands.accumulator.eq(self.accumulators[walk.group]),
            operands.biased.eq(walk.row.parameters),
            operands.int8.eq(walk.row.int8),
            operands.relu.eq(walk.row.relu),
            # The channel's multiplier and shift are read before it enters, its bias as it does.
            store.line.eq(self.parameters),
            store.enable.eq(~lane.keeps_parameters),
            store.half.eq(Mux(walk.enter, walk.row.half, walk.next_half)),
            store.index.eq(Mux(walk.enter, Cat(Const(0, 1), walk.group), Cat(Const(1, 1), walk.next_group))),
            lane.parameters.eq(store.read),
        ]

        # What the packer must know of the column.
        group = self.groups
        with m.If(walk.enter):
            m.d.sync += [group.payload[name].eq(walk.traits[name]) for name in GroupTraits(config).members]
        m.d.comb += [
            group.valid.eq(lane.result.valid),
            group.payload.values[0].eq(lane.result.payload),
            lane.result.ready.eq(group.ready),
        ]
        return m
