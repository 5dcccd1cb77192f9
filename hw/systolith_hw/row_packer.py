"""Packs rows of results into beats."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from .config import ACCUMULATOR_BITS
from .epilogue import GroupLayout
from .messages import WriteData

__all__ = ["RowPacker"]


class RowPacker(wiring.Component):
    """Collects the groups of a row and emits them as int8 or int32, a beat a cycle.

    Bytes that are no results are not strobed.

    Parameters
    ----------
    config : ArrayConfig

    Members
    -------
    groups : stream of GroupLayout
    beats : stream of WriteData
        Back-pressure is honoured.

    Latency
    -------
    One cycle from a row's last group to its first beat.
    """

    def __init__(self, config):
        self._config = config
        super().__init__(
            {
                "groups": In(stream.Signature(GroupLayout(config))),
                "beats": Out(stream.Signature(WriteData(config))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config = self._config
        group = self.groups.payload
        values = data.ArrayLayout(signed(ACCUMULATOR_BITS), config.columns)
        collected = Signal(values)
        row = Signal(values)
        m.d.comb += row.eq(collected)
        for column in range(config.columns):
            index, lane = divmod(column, config.epilogue_lanes)
            with m.If(group.index == index):
                m.d.comb += row[column].eq(group.values[lane])

        row_bytes = max(4 * config.columns, config.bus_bytes)
        left = Signal(8 * row_bytes)
        bytes_left = Signal(bits_for(row_bytes))
        offset = Signal(range(config.bus_bytes))
        active = Signal()
        last = Signal()
        done = Signal()
        m.d.comb += [
            last.eq(bytes_left <= config.bus_bytes),
            done.eq(active & self.beats.ready & last),
            self.groups.ready.eq(~group.row_end | ~active | done),
            self.beats.valid.eq(active),
            self.beats.payload.data.eq(left),
            self.beats.payload.strobe.eq(
                Cat(byte < bytes_left for byte in range(config.bus_bytes)) << offset
            ),
        ]
        with m.If(self.beats.ready):
            m.d.sync += [
                left.eq(left >> config.axi_data_bits),
                bytes_left.eq(bytes_left - config.bus_bytes),
            ]
        with m.If(done):
            m.d.sync += active.eq(0)
        with m.If(self.groups.valid & self.groups.ready):
            m.d.sync += collected.eq(row)
            with m.If(group.row_end):
                int8 = Cat(row[column][:8] for column in range(config.columns))
                m.d.sync += [
                    active.eq(1),
                    left.eq(Mux(group.int8, _fill(int8, row_bytes), _fill(Cat(row), row_bytes))),
                    bytes_left.eq(Mux(group.int8, group.columns, group.columns << 2)),
                    offset.eq(group.offset),
                ]
        return m


def _fill(value, size_bytes):
    """Repeat a value until it fills so many bytes."""
    return Cat(value for _ in range(8 * size_bytes // len(value)))
