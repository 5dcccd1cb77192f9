"""Finds requests in the bytes of the line, and lets only whole ones pass."""

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from systolith_hw.link import CHECK_BYTES, PAYLOAD_MAX_BYTES, REQUEST_HEADER, REQUEST_START, WRITE

from .checksum import FRAME_CRC

__all__ = ["FrameReceiver"]


class FrameReceiver(wiring.Component):
    """Strips start byte and checks of requests, and commits those whose checks are right.

    Bytes before a start byte are skipped. A request is dropped if a check is wrong, a byte of it did not
    arrive in time or was damaged on the line, or there is no room; the next start byte begins another.

    Parameters
    ----------
    idle_cycles : int
        Without a byte, after which a request that is not whole is dropped.

    Members
    -------
    bytes : stream of 8
        Always ready.
    error : 1
        A byte was lost.
    write, data, commit, rewind, full
        To a :class:`~.frame_queue.FrameQueue`: header and payload.
    dropped : 1
        A request was dropped.

    Latency
    -------
    One cycle from the last byte to ``commit``.
    """

    LATENCY = 1

    def __init__(self, *, idle_cycles):
        self._idle_cycles = idle_cycles
        super().__init__(
            {
                "bytes": In(stream.Signature(8)),
                "error": In(1),
                "write": Out(1),
                "data": Out(8),
                "commit": Out(1),
                "rewind": Out(1),
                "full": In(1),
                "dropped": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.crc = crc = FRAME_CRC.create()
        arrived, byte = self.bytes.valid, self.bytes.payload
        index = Signal(range(PAYLOAD_MAX_BYTES))
        is_write = Signal()
        last = Signal(range(PAYLOAD_MAX_BYTES))
        idle = Signal(range(self._idle_cycles + 1))
        wrong = Signal()
        drop = Signal()
        take = Signal()
        m.d.comb += [
            self.bytes.ready.eq(1),
            self.data.eq(byte),
            self.write.eq(take & ~self.full),
            crc.data.eq(byte),
            crc.valid.eq(take),
            wrong.eq(byte != crc.crc.word_select(index[: (CHECK_BYTES - 1).bit_length()], 8)),
        ]
        m.d.comb += self.dropped.eq(self.rewind)
        m.d.sync += [self.commit.eq(0), self.rewind.eq(drop), idle.eq(idle + 1)]
        with m.If(arrived):
            m.d.sync += [index.eq(index + 1), idle.eq(0)]

        with m.FSM() as fsm:
            with m.State("HUNT"):
                m.d.comb += crc.start.eq(1)
                m.d.sync += [index.eq(0), idle.eq(0)]
                with m.If(arrived & (byte == REQUEST_START)):
                    m.next = "HEADER"
            with m.State("HEADER"):
                m.d.comb += take.eq(arrived)
                with m.If(arrived & (index == 0)):
                    m.d.sync += is_write.eq((byte & WRITE).any())
                with m.If(arrived & (index == 1)):
                    m.d.sync += last.eq(byte)
                with m.If(arrived & (index == REQUEST_HEADER.size - 1)):
                    m.d.sync += index.eq(0)
                    m.next = "HEADER_CHECK"
                with m.If(drop):
                    m.next = "HUNT"
            with m.State("HEADER_CHECK"):
                with m.If(arrived & (index == CHECK_BYTES - 1)):
                    m.d.sync += [index.eq(0), self.commit.eq(~is_write & ~wrong)]
                    m.next = "HUNT"
                    with m.If(is_write):
                        m.next = "PAYLOAD"
                with m.If(drop):
                    m.next = "HUNT"
            with m.State("PAYLOAD"):
                m.d.comb += take.eq(arrived)
                with m.If(arrived & (index == last)):
                    m.d.sync += index.eq(0)
                    m.next = "PAYLOAD_CHECK"
                with m.If(drop):
                    m.next = "HUNT"
            with m.State("PAYLOAD_CHECK"):
                with m.If(arrived & (index == CHECK_BYTES - 1)):
                    m.d.sync += self.commit.eq(~wrong)
                    m.next = "HUNT"
                with m.If(drop):
                    m.next = "HUNT"

        checking = fsm.ongoing("HEADER_CHECK") | fsm.ongoing("PAYLOAD_CHECK")
        late = self.error | (idle == self._idle_cycles)
        with m.If(arrived):
            m.d.comb += drop.eq((checking & wrong) | (take & self.full))
        with m.Elif(~fsm.ongoing("HUNT")):
            m.d.comb += drop.eq(late)
        return m
