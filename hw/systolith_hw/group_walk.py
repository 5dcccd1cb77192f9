"""The groups of neighbouring columns in which a row goes through the epilogue."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from .groups import GroupTraits, RowTraits

__all__ = ["GroupWalk"]


class GroupWalk(wiring.Component):
    """Takes a row and goes through its groups.

    Parameters
    ----------
    config : ArrayConfig

    Members
    -------
    rows : stream of RowTraits
        Back-pressure is honoured.
    valid : 1
        There is a group: number ``group`` of ``row``, which ``traits`` describe.
    enter : 1
        It is taken; only while ``valid``.
    next_half, next_group
        What is known in this cycle of the group that is there in the next: its ``row.half`` and ``group``.
    tile_release : 1
        The last group of a tile is taken.
    """

    def __init__(self, config):
        self._config = config
        groups = range(config.columns // config.epilogue_lanes)
        super().__init__(
            {
                "rows": In(stream.Signature(RowTraits(config))),
                "valid": Out(1),
                "row": Out(RowTraits(config)),
                "group": Out(groups),
                "traits": Out(GroupTraits(config)),
                "enter": In(1),
                "next_half": Out(1),
                "next_group": Out(groups),
                "tile_release": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config = self._config
        lanes = config.epilogue_lanes
        row, row_end = self.row, Signal()
        m.d.comb += [
            self.rows.ready.eq(~self.valid | (self.enter & row_end)),
            self.tile_release.eq(self.enter & row_end & row.tile_end),
            self.next_half.eq(Mux(self.rows.ready, self.rows.payload.half, row.half)),
            self.next_group.eq(Mux(self.rows.ready, 0, self.group + self.enter)),
        ]
        m.d.sync += self.group.eq(self.next_group)
        with m.If(self.enter):
            m.d.sync += row_end.eq((self.group + 2) * lanes >= row.columns)
        with m.If(self.rows.ready):
            m.d.sync += [
                self.valid.eq(self.rows.valid),
                row.eq(self.rows.payload),
                row_end.eq(self.rows.payload.columns <= lanes),
            ]

        tile_begin = Mux(
            row.int8,
            row.offset >> exact_log2(config.columns),
            row.offset >> exact_log2(4 * config.columns),
        )
        m.d.comb += [
            self.traits.position.eq(Cat(self.group, tile_begin)),
            self.traits.row_end.eq(row_end),
            self.traits.int8.eq(row.int8),
            self.traits.tail.eq(Mux(row_end, row.columns[: exact_log2(lanes)], 0)),
        ]
        return m
