"""Writes results and completion records to memory."""

from amaranth.hdl import Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from .burst_splitter import BurstSplitter, Transfer
from .messages import RowWrite, WriteData, beat_address_shape, slot_shape
from .queue import Queue
from .stream_slice import StreamSlice

__all__ = ["WriteDma"]


class WriteDma(wiring.Component):
    """Arbitrates rows of results and completion records, issues bursts, and tracks the responses.

    Parameters
    ----------
    config : ArrayConfig

    Members
    -------
    rows : stream of RowWrite
    row_beats : stream of WriteData
        Their data, in the same order.
    records : stream of RowWrite
        These go first.
    record_beats : stream of WriteData
    bursts : stream of Transfer
        To the AXI write address channel.
    beats : stream of {data, strobe, last}
        To the AXI write data channel.
    responses : stream of {error}
        From the AXI write response channel; always ready.
    stored : 1
        A descriptor's last row is in memory.
    recorded : 1
        A completion record is in memory; ``recorded_interrupt`` copies its ``interrupt``.
    fault : 1
        A write of descriptor ``fault_slot`` failed, at ``fault_address``.
    record_fault : 1
        A completion record could not be written, at ``fault_address``.
    busy : 1
        Writes are outstanding.

    Back-pressure is honoured on every stream.
    """

    def __init__(self, config):
        self._config = config
        row_write = RowWrite(config)
        self._max_beats = (1 << row_write["beats"].width) - 1
        beat = data.StructLayout({**WriteData(config).members, "last": 1})
        super().__init__(
            {
                "rows": In(stream.Signature(row_write)),
                "row_beats": In(stream.Signature(WriteData(config))),
                "records": In(stream.Signature(row_write)),
                "record_beats": In(stream.Signature(WriteData(config))),
                "bursts": Out(
                    stream.Signature(Transfer(address_bits=config.address_bits, max_beats=self._max_beats))
                ),
                "beats": Out(stream.Signature(beat)),
                "responses": In(stream.Signature(data.StructLayout({"error": 1}))),
                "stored": Out(1),
                "recorded": Out(1),
                "recorded_interrupt": Out(1),
                "fault": Out(1),
                "fault_slot": Out(slot_shape(config)),
                "fault_address": Out(config.address_bits),
                "record_fault": Out(1),
                "busy": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config = self._config
        bus_log2 = exact_log2(config.bus_bytes)
        m.submodules.splitter = splitter = BurstSplitter(
            address_bits=config.address_bits, bus_bytes=config.bus_bytes, max_beats=self._max_beats
        )
        source = data.StructLayout({**RowWrite(config).members, "record": 1})
        m.submodules.granted = granted = StreamSlice(source)
        splitting = Signal(source)

        def grant(requests, *, record):
            m.d.comb += [
                granted.i.valid.eq(requests.valid),
                granted.i.payload.eq(requests.payload),
                granted.i.payload.record.eq(record),
                requests.ready.eq(granted.i.ready),
            ]

        with m.If(self.records.valid):
            grant(self.records, record=True)
        with m.Else():
            grant(self.rows, record=False)
        m.d.comb += [
            splitter.transfers.valid.eq(granted.o.valid),
            splitter.transfers.payload.address.eq(granted.o.payload.address << bus_log2),
            splitter.transfers.payload.beats.eq(granted.o.payload.beats),
            granted.o.ready.eq(splitter.transfers.ready),
        ]
        with m.If(granted.o.ready):
            m.d.sync += splitting.eq(granted.o.payload)

        # A burst is offered on the address channel and put into the queues at once: its data must not wait
        # until the address is taken, for a subordinate may wait for data before it takes the address.
        data_entry = data.StructLayout({"beats": splitting.beats.shape(), "single": 1, "record": 1})
        response_entry = data.StructLayout(
            {
                "address": beat_address_shape(config),
                "slot": slot_shape(config),
                "end": 1,
                "interrupt": 1,
                "record": 1,
            }
        )
        m.submodules.data_queue = data_queue = Queue(data_entry, depth=config.outstanding)
        m.submodules.response_queue = response_queue = Queue(response_entry, depth=config.outstanding)
        burst = splitter.bursts
        room = Signal()
        queued = Signal()
        put = Signal()
        m.d.comb += [
            room.eq(data_queue.i.ready & response_queue.i.ready),
            put.eq(burst.valid & room & ~queued),
            self.bursts.valid.eq(put | queued),
            self.bursts.payload.eq(burst.payload),
            burst.ready.eq(self.bursts.valid & self.bursts.ready),
            data_queue.i.valid.eq(put),
            data_queue.i.payload.beats.eq(burst.payload.beats),
            data_queue.i.payload.single.eq(burst.payload.beats == 1),
            data_queue.i.payload.record.eq(splitting.record),
            response_queue.i.valid.eq(put),
            response_queue.i.payload.address.eq(burst.payload.address >> bus_log2),
            response_queue.i.payload.slot.eq(splitting.slot),
            response_queue.i.payload.end.eq(splitting.end & splitter.last),
            response_queue.i.payload.interrupt.eq(splitting.interrupt),
            response_queue.i.payload.record.eq(splitting.record),
        ]
        m.d.sync += queued.eq(self.bursts.valid & ~self.bursts.ready)
        self._send_data(m, data_queue.o)
        self._take_responses(m, response_queue.o)
        return m

    def _send_data(self, m, queue):
        sent = Signal.like(queue.payload.beats)
        later_last = Signal()
        out = self.beats

        def forward(beats):
            m.d.comb += [
                out.valid.eq(queue.valid & beats.valid),
                out.payload.data.eq(beats.payload.data),
                out.payload.strobe.eq(beats.payload.strobe),
                beats.ready.eq(queue.valid & out.ready),
            ]

        with m.If(queue.payload.record):
            forward(self.record_beats)
        with m.Else():
            forward(self.row_beats)
        m.d.comb += [
            out.payload.last.eq(queue.payload.single | later_last),
            queue.ready.eq(out.valid & out.ready & out.payload.last),
        ]
        with m.If(out.valid & out.ready):
            m.d.sync += [sent.eq(sent + 1), later_last.eq(sent + 2 == queue.payload.beats)]
            with m.If(out.payload.last):
                m.d.sync += [sent.eq(0), later_last.eq(0)]

    def _take_responses(self, m, queue):
        received = Signal()
        error = Signal()
        burst = queue.payload
        m.d.sync += [received.eq(self.responses.valid), error.eq(self.responses.payload.error)]
        m.d.comb += [
            self.responses.ready.eq(1),
            queue.ready.eq(received),
            self.busy.eq(queue.valid),
            self.stored.eq(received & ~burst.record & burst.end),
            self.recorded.eq(received & burst.record),
            self.recorded_interrupt.eq(burst.interrupt),
            self.fault.eq(received & error & ~burst.record),
            self.record_fault.eq(received & error & burst.record),
            self.fault_slot.eq(burst.slot),
            self.fault_address.eq(burst.address << exact_log2(self._config.bus_bytes)),
        ]
