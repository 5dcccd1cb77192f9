"""From accumulators to results: a pipeline of requantizer lanes and the parameters they use."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped
from amaranth.utils import bits_for, exact_log2

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


class GroupTraits(data.StructLayout):
    """What is to become of the results of some neighbouring columns of one row.

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

    @staticmethod
    def assign(config, traits, row, group, row_end):
        """Say it of group number ``group`` of a row."""
        tile_begin = Mux(
            row.int8,
            row.offset >> exact_log2(config.columns),
            row.offset >> exact_log2(4 * config.columns),
        )
        return [
            traits.position.eq(Cat(group, tile_begin)),
            traits.row_end.eq(row_end),
            traits.int8.eq(row.int8),
            traits.tail.eq(Mux(row_end, row.columns[: exact_log2(config.epilogue_lanes)], 0)),
        ]


class GroupLayout(data.StructLayout):
    """Results of some neighbouring columns of one row, and their traits.

    An int8 result is in every byte of its value, so that few bytes have to be moved into beats.
    """

    def __init__(self, config):
        values = data.ArrayLayout(signed(ACCUMULATOR_BITS), config.epilogue_lanes)
        super().__init__({"values": values, **GroupTraits(config).members})


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

    QUEUE_DEPTH = 16
    SELECT_CYCLES = 1
    LATENCY = 1 + SELECT_CYCLES + RequantizerLanes.LATENCY + Queue.LATENCY

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
        has_place = Signal(init=1)
        leaves = Signal()
        places = Signal(range(self.QUEUE_DEPTH + 1), init=self.QUEUE_DEPTH)
        enter = Signal()
        m.d.comb += [
            enter.eq(row_valid & has_place),
            leaves.eq(queue.o.valid & queue.o.ready),
            self.rows.ready.eq(~row_valid | (enter & row_end)),
            self.tile_release.eq(enter & row_end & row.tile_end),
        ]
        m.d.sync += [
            places.eq(places - enter + leaves),
            has_place.eq(leaves | Mux(enter, places != 1, places != 0)),
        ]
        with m.If(enter):
            m.d.sync += [
                group.eq(group + 1),
                row_end.eq((group + 2) * config.epilogue_lanes >= row.columns),
            ]
        with m.If(self.rows.ready):
            m.d.sync += [
                row_valid.eq(self.rows.valid),
                row.eq(self.rows.payload),
                group.eq(0),
                row_end.eq(self.rows.payload.columns <= config.epilogue_lanes),
            ]

        # Its columns' accumulators and parameters.
        lane_count = config.epilogue_lanes
        next_half = Signal()
        next_group = Signal.like(group)
        m.d.comb += [
            next_half.eq(Mux(self.rows.ready, self.rows.payload.half, row.half)),
            next_group.eq(Mux(self.rows.ready, 0, group + enter)),
        ]
        stored = self._store_parameters(m, next_half, next_group, group)
        m.d.sync += lanes.valid.eq(enter)
        with m.If(enter):
            m.d.sync += [
                lanes.accumulators.eq(
                    self.accumulators.as_value().word_select(group, ACCUMULATOR_BITS * lane_count)
                ),
                lanes.parameters.eq(Mux(row.parameters, stored, 0)),
                lanes.int8.eq(row.int8),
                lanes.relu.eq(row.relu),
            ]

        # Beside the lanes: what the packer must know of each group.
        payload = queue.i.payload
        valid, traits = enter, Signal(GroupTraits(config))
        m.d.comb += GroupTraits.assign(config, traits, row, group, row_end)
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

    def _store_parameters(self, m, next_half, next_group, group):
        """Keep the parameters of two tiles; return those of ``group``, read as ``next_group`` before.

        A word of the memory is as wide as a line or as a group, whichever is wider.
        """
        config = self._config
        line = self.parameters
        group_bits = Parameters().size * config.epilogue_lanes
        line_bits = len(line.data)
        word_bits = max(group_bits, line_bits)
        words_per_set = Parameters().size * config.columns // word_bits
        lines_per_word, groups_per_word = word_bits // line_bits, word_bits // group_bits

        layout = data.ArrayLayout(line_bits, lines_per_word)
        m.submodules.parameters = words = memory.Memory(shape=layout, depth=2 * words_per_set, init=[])
        write = words.write_port(granularity=1)
        read = words.read_port()
        m.d.comb += [
            write.addr.eq(line.half * words_per_set + (line.index >> exact_log2(lines_per_word))),
            write.en.eq(line.valid << line.index[: exact_log2(lines_per_word)]),
            read.addr.eq(next_half * words_per_set + (next_group >> exact_log2(groups_per_word))),
        ]
        for part in range(lines_per_word):
            m.d.comb += write.data[part].eq(line.data)
        return read.data.as_value().word_select(group[: exact_log2(groups_per_word)], group_bits)
