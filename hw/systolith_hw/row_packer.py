"""Packs rows of results into beats."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from .groups import GroupLayout
from .messages import WriteData

__all__ = ["RowPacker"]


class RowPacker(wiring.Component):
    """Puts groups of results into beats, which leave as soon as they are complete.

    Groups narrower than a beat are collected until it is full or their row ends; a wider one makes several
    beats. Bytes that are no results are not strobed.

    Parameters
    ----------
    config : ArrayConfig

    Members
    -------
    groups : stream of GroupLayout
        Refused while a complete beat waits, but for the cycle in which it, or the last of several, is taken.
    beats : stream of WriteData
        Back-pressure is honoured.

    Latency
    -------
    One cycle from the group that completes a beat to the beat.
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
        bus_bytes, lanes = self._config.bus_bytes, self._config.epilogue_lanes
        group = self.groups.payload
        strobe = Signal(max(bus_bytes, 4 * lanes))
        held = Signal(data.ArrayLayout(8, len(strobe)))
        complete = Signal()
        last = Signal()
        taken = Signal()
        accepted = Signal()
        several = len(strobe) > bus_bytes
        m.d.comb += [
            last.eq(~strobe[bus_bytes] if several else 1),
            taken.eq(complete & self.beats.ready),
            self.groups.ready.eq(~complete | (taken & last)),
            accepted.eq(self.groups.valid & self.groups.ready),
            self.beats.valid.eq(complete),
            self.beats.payload.data.eq(held),
            self.beats.payload.strobe.eq(strobe),
        ]
        with m.If(taken):
            m.d.sync += strobe.eq(strobe >> bus_bytes)
            if several:
                m.d.sync += held.eq(held.as_value() >> 8 * bus_bytes)
            with m.If(last):
                m.d.sync += complete.eq(0)

        is_result = [(group.tail == 0) | (group.tail > lane) for lane in range(lanes)]
        with m.If(accepted):
            for byte in range(len(strobe)):
                lane_8, is_here_8 = self._source(byte, result_bytes=1)
                lane_32, is_here_32 = self._source(byte, result_bytes=4)
                with m.If(Mux(group.int8, is_here_8, is_here_32)):
                    value = Mux(group.int8, group.values[lane_8], group.values[lane_32])
                    m.d.sync += [
                        strobe[byte].eq(Mux(group.int8, is_result[lane_8], is_result[lane_32])),
                        held[byte].eq(value.word_select(byte % 4, 8)),
                    ]
            with m.If(Mux(group.int8, self._completes(result_bytes=1), self._completes(result_bytes=4))):
                m.d.sync += complete.eq(1)
        return m

    def _position(self, *, result_bytes):
        """Where in its beat a group is, counted in groups of such results."""
        groups = max(1, self._config.bus_bytes // (self._config.epilogue_lanes * result_bytes))
        return self.groups.payload.position[: exact_log2(groups)]

    def _source(self, byte, *, result_bytes):
        """The lane that a byte is from, and whether it is of this group."""
        lanes = self._config.epilogue_lanes
        if byte >= max(self._config.bus_bytes, lanes * result_bytes):
            return 0, 0
        part, lane = divmod(byte // result_bytes, lanes)
        return lane, self._position(result_bytes=result_bytes) == part

    def _completes(self, *, result_bytes):
        return self.groups.payload.row_end | self._position(result_bytes=result_bytes).all()
