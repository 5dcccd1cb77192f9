"""From accumulators to results: a pipeline of requantizer lanes and the parameters they use."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import connect, flipped

from .config import ACCUMULATOR_BITS
from .group_walk import GroupWalk
from .groups import GroupLayout, GroupTraits, epilogue_members
from .parameter_store import ParameterStore
from .queue import Queue
from .requantize import Parameters, RequantizerLanes

__all__ = ["Epilogue"]


class Epilogue(wiring.Component):
    """Requantizes rows of accumulators, ``epilogue_lanes`` columns a cycle.

    A group of columns enters the lanes when its place in the queue behind them is free, so the lanes never
    wait.

    Parameters
    ----------
    config : ArrayConfig
    lanes : callable
        Makes the lanes; for another lowering of :class:`.requantize.RequantizerLanes`.

    Members
    -------
    rows, accumulators, parameters, groups, tile_release
        See :func:`.groups.epilogue_members`.

    Latency
    -------
    ``LATENCY`` cycles from a row to its first group.
    """

    QUEUE_DEPTH = 16
    SELECT_CYCLES = 2
    LATENCY = 1 + SELECT_CYCLES + RequantizerLanes.LATENCY + Queue.LATENCY

    def __init__(self, config, *, lanes=RequantizerLanes):
        self._config = config
        self._lanes = lanes
        super().__init__(epilogue_members(config))

    def elaborate(self, platform):
        m = Module()
        config = self._config
        m.submodules.walk = walk = GroupWalk(config)
        m.submodules.store = store = ParameterStore(
            config, read_bits=Parameters().size * config.epilogue_lanes
        )
        m.submodules.lanes = lanes = self._lanes(lanes=config.epilogue_lanes)
        m.submodules.queue = queue = Queue(GroupLayout(config), depth=self.QUEUE_DEPTH)
        connect(m, flipped(self.rows), walk.rows)
        connect(m, flipped(self.groups), queue.o)

        has_place = Signal(init=1)
        leaves = Signal()
        places = Signal(range(self.QUEUE_DEPTH + 1), init=self.QUEUE_DEPTH)
        enter = walk.enter
        m.d.comb += [
            enter.eq(walk.valid & has_place),
            leaves.eq(queue.o.valid & queue.o.ready),
            self.tile_release.eq(walk.tile_release),
        ]
        m.d.sync += [
            places.eq(places - enter + leaves),
            has_place.eq(leaves | Mux(enter, places != 1, places != 0)),
        ]

        # A group's columns' accumulators and parameters.
        m.d.comb += [
            store.line.eq(self.parameters),
            store.enable.eq(1),
            store.half.eq(walk.next_half),
            store.index.eq(walk.next_group),
        ]
        # What comes out of the memories is registered before it is selected from, for they are slow.
        entered = Signal()
        group = Signal.like(walk.group)
        accumulators = Signal.like(self.accumulators, reset_less=True)
        parameters = Signal.like(lanes.parameters, reset_less=True)
        int8, relu = Signal(reset_less=True), Signal(reset_less=True)
        m.d.sync += [entered.eq(enter), lanes.valid.eq(entered)]
        with m.If(enter):
            m.d.sync += [
                group.eq(walk.group),
                accumulators.eq(self.accumulators),
                parameters.eq(Mux(walk.row.parameters, store.read, 0)),
                int8.eq(walk.row.int8),
                relu.eq(walk.row.relu),
            ]
        with m.If(entered):
            m.d.sync += [
                lanes.accumulators.eq(
                    accumulators.as_value().word_select(group, ACCUMULATOR_BITS * config.epilogue_lanes)
                ),
                lanes.parameters.eq(parameters),
                lanes.int8.eq(int8),
                lanes.relu.eq(relu),
            ]

        # Beside the lanes: what the packer must know of each group.
        payload = queue.i.payload
        valid, traits = enter, walk.traits
        for number in range(1, self.SELECT_CYCLES + lanes.LATENCY + 1):
            next_valid = Signal(name=f"valid_{number}")
            next_traits = Signal.like(traits, name=f"traits_{number}", reset_less=True)
            m.d.sync += [next_valid.eq(valid), next_traits.eq(traits)]
            valid, traits = next_valid, next_traits
        m.d.comb += [
            queue.i.valid.eq(valid),
            payload.values.eq(lanes.results),
            *(payload[name].eq(traits[name]) for name in GroupTraits(config).members),
        ]
        return m
