"""From accumulators to results: a pipeline of requantizer lanes and the parameters they use."""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped
from amaranth.utils import bits_for

from .config import ACCUMULATOR_BITS
from .queue import Queue
from .requantize import Parameters, RequantizerLanes
from .weight_feeder import ParameterLine

__all__ = ["Epilogue", "GroupLayout", "RowTraits"]


class RowTraits(data.StructLayout):
    """How one row of accumulators is to be treated and stored."""

    def __init__(self, config):
        super().__init__(
            {
                "int8": 1,
                "relu": 1,
                "parameters": 1,
                "half": 1,
                "columns": bits_for(config.columns),
                "offset": range(config.bus_bytes),
                "tile_end": 1,
            }
        )


class GroupLayout(data.StructLayout):
    """Results of some neighbouring columns of one row."""

    def __init__(self, config):
        super().__init__(
            {
                "values": data.ArrayLayout(signed(ACCUMULATOR_BITS), config.epilogue_lanes),
                "index": range(config.columns // config.epilogue_lanes),
                "row_end": 1,
                "int8": 1,
                "columns": bits_for(config.columns),
                "offset": range(config.bus_bytes),
            }
        )


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
    rows : stream of RowTraits
        A row to be read from the accumulators in this cycle. Back-pressure is honoured.
    accumulators : ArrayLayout(signed(32), columns)
        The row, from the cycle after it was accepted until the next is.
    parameters : ParameterLine
        Parameters of a tile to come.
    groups : stream of GroupLayout
        Back-pressure is honoured.
    tile_release : 1
        Accumulators and parameters of a tile are no longer needed.

    Latency
    -------
    ``LATENCY`` cycles from a row to its first group.
    """

    QUEUE_DEPTH = 8
    LATENCY = 1 + RequantizerLanes.LATENCY + Queue.LATENCY

    def __init__(self, config, *, lanes=RequantizerLanes):
        self._config = config
        self._lanes = lanes
        super().__init__(
            {
                "rows": In(stream.Signature(RowTraits(config))),
                "accumulators": In(data.ArrayLayout(signed(ACCUMULATOR_BITS), config.columns)),
                "parameters": In(ParameterLine(config)),
                "groups": Out(stream.Signature(GroupLayout(config))),
                "tile_release": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config = self._config
        group_layout = GroupLayout(config)
        m.submodules.queue = queue = Queue(group_layout, depth=self.QUEUE_DEPTH)
        m.submodules.lanes = lanes = self._lanes(lanes=config.epilogue_lanes)
        connect(m, flipped(self.groups), queue.o)

        # The row whose groups enter the lanes.
        row = Signal(RowTraits(config))
        row_valid = Signal()
        group = Signal(range(config.columns // config.epilogue_lanes))
        row_end = Signal()
        places = Signal(range(self.QUEUE_DEPTH + 1), init=self.QUEUE_DEPTH)
        enter = Signal()
        m.d.comb += [
            enter.eq(row_valid & (places != 0)),
            row_end.eq((group + 1) * config.epilogue_lanes >= row.columns),
            self.rows.ready.eq(~row_valid | (enter & row_end)),
            self.tile_release.eq(enter & row_end & row.tile_end),
        ]
        m.d.sync += places.eq(places - enter + (queue.o.valid & queue.o.ready))
        with m.If(enter):
            m.d.sync += group.eq(group + 1)
        with m.If(self.rows.ready):
            m.d.sync += [row_valid.eq(self.rows.valid), row.eq(self.rows.payload), group.eq(0)]

        # Its columns' accumulators and parameters.
        parameters = data.ArrayLayout(Parameters(), config.columns)
        sets = self._store_parameters(m)
        chosen = Signal(parameters)
        with m.If(row.parameters):
            m.d.comb += chosen.eq(Mux(row.half, sets[1], sets[0]))
        m.d.comb += [
            lanes.valid.eq(enter),
            lanes.accumulators.eq(
                self.accumulators.as_value().word_select(group, lanes.accumulators.shape().size)
            ),
            lanes.parameters.eq(chosen.as_value().word_select(group, lanes.parameters.shape().size)),
            lanes.int8.eq(row.int8),
            lanes.relu.eq(row.relu),
        ]

        # Beside the lanes: what the packer must know of each group.
        valid, traits = enter, Signal(group_layout)
        m.d.comb += [
            traits.index.eq(group),
            traits.row_end.eq(row_end),
            traits.int8.eq(row.int8),
            traits.columns.eq(row.columns),
            traits.offset.eq(row.offset),
        ]
        for number in range(1, lanes.LATENCY + 1):
            next_valid = Signal(name=f"valid_{number}")
            next_traits = Signal.like(traits, name=f"traits_{number}", reset_less=True)
            m.d.sync += [next_valid.eq(valid), next_traits.eq(traits)]
            valid, traits = next_valid, next_traits
        m.d.comb += [
            queue.i.valid.eq(valid),
            queue.i.payload.eq(traits),
            queue.i.payload.values.eq(lanes.results),
        ]
        return m

    def _store_parameters(self, m):
        """Registers for the parameters of two tiles, by half."""
        line = self.parameters
        lines = data.ArrayLayout(len(line.data), self._config.parameter_lines)
        sets = []
        for half in range(2):
            received = Signal(lines, name=f"set_{half}", reset_less=True)
            with m.If(line.valid & (line.half == half)):
                m.d.sync += received[line.index].eq(line.data)
            sets.append(received.as_value())
        return sets
