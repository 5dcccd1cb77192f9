"""Reads memory for the loaders, in the order in which the array needs the data."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for, exact_log2

from .burst_splitter import BurstSplitter, Transfer
from .messages import Order, ReadData, RowRequest, Target, beats_shape, slot_shape
from .queue import Queue
from .stream_slice import StreamSlice

__all__ = ["ReadDma"]


class ReadDma(wiring.Component):
    """Arbitrates row requests, issues bursts, and hands each beat to its buffer.

    Descriptors go first; of A and B whichever the array needs earlier, B in a tie. Data are accepted in
    every cycle: whoever requests a row has reserved its place.

    Parameters
    ----------
    config : ArrayConfig

    Members
    -------
    descriptor_requests, a_requests, b_requests : stream of RowRequest
        Back-pressure is honoured.
    a_order, b_order : Order
        Of the requests offered: what ``staged_order`` was with ``begin``.
    a_staged_order, b_staged_order : Order
    a_begin, b_begin : 1
        The request offered next is of ``staged_order``. One that does not follow another is offered no sooner
        than in the cycle after its ``begin``.
    bursts : stream of Transfer
        To the AXI read address channel. Back-pressure is honoured.
    beats : stream of {data, error}
        From the AXI read data channel; always ready.
    valid : ArrayLayout(1, len(Target))
        A beat for that target.
    data : ReadData
        The beat.
    fault : 1
        A beat of descriptor ``fault_slot`` came with an error response, at ``fault_address``.
    busy : 1
        Reads are outstanding.

    Latency
    -------
    ``LATENCY`` cycle from a beat to ``data``.
    """

    LATENCY = 1

    def __init__(self, config):
        self._config = config
        self._transfer = Transfer(
            address_bits=config.address_bits, max_beats=(1 << beats_shape(config).width) - 1
        )
        requests = stream.Signature(RowRequest(config))
        beat = data.StructLayout({"data": config.axi_data_bits, "error": 1})
        super().__init__(
            {
                "descriptor_requests": In(requests),
                "a_requests": In(requests),
                "b_requests": In(requests),
                **{
                    f"{source}_{name}": In(shape)
                    for source in "ab"
                    for name, shape in (
                        ("order", Order(config)),
                        ("staged_order", Order(config)),
                        ("begin", 1),
                    )
                },
                "bursts": Out(stream.Signature(self._transfer)),
                "beats": In(stream.Signature(beat)),
                "valid": Out(data.ArrayLayout(1, len(Target))),
                "data": Out(ReadData(config)),
                "fault": Out(1),
                "fault_slot": Out(slot_shape(config)),
                "fault_address": Out(config.address_bits),
                "busy": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config = self._config
        m.submodules.pending = pending = Queue(RowRequest(config), depth=config.outstanding)
        m.submodules.splitter = splitter = BurstSplitter(
            address_bits=config.address_bits,
            bus_bytes=config.bus_bytes,
            max_beats=(1 << beats_shape(config).width) - 1,
        )
        m.submodules.granted = granted = StreamSlice(self._transfer)
        wiring.connect(m, granted.o, splitter.transfers)
        wiring.connect(m, wiring.flipped(self.bursts), splitter.bursts)
        self._arbitrate(m, pending.i, granted.i)
        self._distribute(m, pending.o)
        return m

    def _arbitrate(self, m, pending, transfers):
        # Which of the next requests is earlier, compared before it is known which these are.
        a_first = Signal()
        # How many blocks B is ahead of A.
        most_blocks = max(self._config.a_buffer_lines, self._config.b_buffer_lines) + 4
        blocks_ahead = Signal(signed(bits_for(most_blocks) + 1))
        a_staged, b_staged = self.a_staged_order, self.b_staged_order
        with m.Switch(Cat(self.a_begin, self.b_begin)):
            for begin, a_order, b_order, a_step, b_step in (
                (0b01, a_staged, self.b_order, a_staged.begins_block, Const(0)),
                (0b10, self.a_order, b_staged, Const(0), b_staged.begins_block),
                (0b11, a_staged, b_staged, a_staged.begins_block, b_staged.begins_block),
            ):
                in_one_block = blocks_ahead == Mux(a_step == b_step, 0, Mux(a_step, 1, -1))
                a_behind = Mux(blocks_ahead == 0, b_step, blocks_ahead > 0)
                in_turn = b_order.later_sweep | (a_order.line < b_order.line)
                with m.Case(begin):
                    m.d.sync += a_first.eq(Mux(in_one_block, in_turn, a_behind))
        a_step = self.a_begin & a_staged.begins_block
        b_step = self.b_begin & b_staged.begins_block
        with m.If(a_step != b_step):
            m.d.sync += blocks_ahead.eq(blocks_ahead + Mux(a_step, -1, 1))
        ready = Signal()
        chosen = Signal(RowRequest(self._config))
        valid = Signal()
        m.d.comb += [
            ready.eq(pending.ready & transfers.ready),
            pending.valid.eq(valid & transfers.ready),
            pending.payload.eq(chosen),
            transfers.valid.eq(valid & pending.ready),
            transfers.payload.address.eq(chosen.address),
            transfers.payload.beats.eq(chosen.beats),
        ]

        def grant(requests):
            m.d.comb += [valid.eq(1), chosen.eq(requests.payload), requests.ready.eq(ready)]

        with m.If(self.descriptor_requests.valid):
            grant(self.descriptor_requests)
        with m.Elif(self.a_requests.valid & (a_first | ~self.b_requests.valid)):
            grant(self.a_requests)
        with m.Elif(self.b_requests.valid):
            grant(self.b_requests)

    def _distribute(self, m, pending):
        config = self._config
        row = pending.payload
        received = Signal()
        payload = Signal.like(self.beats.payload, reset_less=True)
        m.d.comb += self.beats.ready.eq(1)
        m.d.sync += [received.eq(self.beats.valid), payload.eq(self.beats.payload)]

        first = Signal(init=1)
        beat = Signal.like(self.data.beat)
        line = Signal.like(row.line)
        beats_before = Signal.like(row.beats)

        this_line = Signal.like(row.line)
        row_end = Signal()
        m.d.comb += [
            this_line.eq(Mux(first, row.line, line)),
            row_end.eq(row.beats == beats_before + 1),
            pending.ready.eq(received & row_end),
            self.busy.eq(pending.valid),
        ]
        with m.If(received):
            m.d.sync += [
                first.eq(row_end),
                beats_before.eq(beats_before + 1),
                line.eq(this_line),
                beat.eq(beat + 1),
            ]
            with m.If(beat == config.beats_per_line - 1):
                m.d.sync += [line.eq(this_line + row.stride), beat.eq(0)]
            with m.If(row_end):
                m.d.sync += [beat.eq(0), beats_before.eq(0)]
        m.d.comb += [
            *(self.valid[target].eq(received & (row.target == target)) for target in Target),
            self.data.data.eq(payload.data),
            self.data.line.eq(this_line),
            self.data.beat.eq(beat),
            self.data.row_end.eq(row_end),
            self.fault.eq(received & payload.error),
            self.fault_slot.eq(row.slot),
            self.fault_address.eq(row.address + (beats_before << exact_log2(config.bus_bytes))),
        ]
