"""From accumulators to results: a pipeline of requantizer lanes and the parameters they use."""

from amaranth.hdl import Module, Signal, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from .config import ACCUMULATOR_BITS, PARAMETER_BYTES
from .requantize import MULTIPLIER_BITS, SHIFT_BITS, Requantizer
from .weight_feeder import ParameterLine

__all__ = ["Epilogue", "GroupLayout", "RowTraits"]


class Parameters(data.StructLayout):
    """The epilogue parameters of one output channel, as they lie in memory."""

    def __init__(self):
        super().__init__(
            {
                "bias": signed(ACCUMULATOR_BITS),
                "multiplier": MULTIPLIER_BITS,
                "shift": SHIFT_BITS,
                "reserved": 8 * PARAMETER_BYTES - ACCUMULATOR_BITS - MULTIPLIER_BITS - SHIFT_BITS,
            }
        )


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

    Parameters
    ----------
    config : ArrayConfig

    Members
    -------
    rows : stream of RowTraits
        A row to be read from the accumulators in this cycle. Back-pressure is honoured.
    accumulators : ArrayLayout(signed(32), columns)
        The row, from the cycle after it was accepted until the next is.
    parameters : ParameterLine
        Parameters of a tile to come.
    groups : stream of GroupLayout
        Back-pressure is honoured: the whole pipeline waits.
    tile_release : 1
        Accumulators and parameters of a tile are no longer needed.

    Latency
    -------
    ``LATENCY`` cycles from a row to its first group.
    """

    LATENCY = 1 + Requantizer.LATENCY

    def __init__(self, config):
        self._config = config
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
        lanes = config.epilogue_lanes
        advance = Signal()
        m.d.comb += advance.eq(~self.groups.valid | self.groups.ready)

        # The row whose groups enter the lanes.
        row = Signal(RowTraits(config))
        row_valid = Signal()
        group = Signal(range(config.columns // lanes))
        row_end = Signal()
        m.d.comb += [
            row_end.eq((group + 1) * lanes >= row.columns),
            self.rows.ready.eq(~row_valid | (advance & row_end)),
            self.tile_release.eq(row_valid & advance & row_end & row.tile_end),
        ]
        with m.If(row_valid & advance):
            m.d.sync += group.eq(group + 1)
        with m.If(self.rows.ready):
            m.d.sync += [row_valid.eq(self.rows.valid), row.eq(self.rows.payload), group.eq(0)]

        sets = self._store_parameters(m)

        # Beside the lanes: what the packer must know of each group.
        valid, traits = row_valid, Signal(GroupLayout(config))
        m.d.comb += [
            traits.index.eq(group),
            traits.row_end.eq(row_end),
            traits.int8.eq(row.int8),
            traits.columns.eq(row.columns),
            traits.offset.eq(row.offset),
        ]
        for number in range(Requantizer.LATENCY):
            next_valid = Signal(name=f"valid_{number + 1}")
            next_traits = Signal.like(traits, name=f"traits_{number + 1}", reset_less=True)
            with m.If(advance):
                m.d.sync += [next_valid.eq(valid), next_traits.eq(traits)]
            valid, traits = next_valid, next_traits
        m.d.comb += [self.groups.valid.eq(valid), self.groups.payload.eq(traits)]

        for lane in range(lanes):
            m.submodules[f"lane_{lane}"] = requantizer = Requantizer()
            parameters = Signal(Parameters(), name=f"parameters_{lane}")
            columns = range(lane, config.columns, lanes)
            accumulator = data.ArrayLayout(signed(ACCUMULATOR_BITS), len(columns))
            choice = Signal(accumulator, name=f"accumulators_{lane}")
            for position, column in enumerate(columns):
                m.d.comb += choice[position].eq(self.accumulators[column])
            with m.If(row.parameters):
                m.d.comb += parameters.eq(_pick(m, sets, row.half, columns, group, lane))
            m.d.comb += [
                requantizer.advance.eq(advance),
                requantizer.accumulator.eq(choice[group]),
                requantizer.bias.eq(parameters.bias),
                requantizer.multiplier.eq(parameters.multiplier),
                requantizer.shift.eq(parameters.shift),
                requantizer.int8.eq(row.int8),
                requantizer.relu.eq(row.relu),
                self.groups.payload.values[lane].eq(requantizer.result),
            ]
        return m

    def _store_parameters(self, m):
        """Registers for the parameters of two tiles; returns them by half and column."""
        line = self.parameters
        lines = data.ArrayLayout(len(line.data), self._config.parameter_lines)
        columns = data.ArrayLayout(Parameters(), self._config.columns)
        sets = []
        for half in range(2):
            received = Signal(lines, name=f"set_{half}", reset_less=True)
            with m.If(line.valid & (line.half == half)):
                m.d.sync += received[line.index].eq(line.data)
            sets.append(columns(received.as_value()))
        return sets


def _pick(m, sets, half, columns, group, lane):
    """The parameters of one lane's column in the present group."""
    layout = data.ArrayLayout(unsigned(Parameters().size), len(columns))
    halves = []
    for number in range(2):
        choice = Signal(layout, name=f"set_{number}_lane_{lane}")
        for position, column in enumerate(columns):
            m.d.comb += choice[position].eq(sets[number][column])
        halves.append(choice[group])
    picked = Signal(Parameters().size, name=f"picked_{lane}")
    with m.If(half):
        m.d.comb += picked.eq(halves[1])
    with m.Else():
        m.d.comb += picked.eq(halves[0])
    return picked
