"""Wraps responses in start byte and check."""

from amaranth.hdl import Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from systolith_hw.link import CHECK_BYTES, RESPONSE_START

from .checksum import FRAME_CRC

__all__ = ["FrameTransmitter", "ResponseByte"]


class ResponseByte(data.StructLayout):
    """A byte of a response, with ``last`` for its last."""

    def __init__(self):
        super().__init__({"data": 8, "last": 1})


class FrameTransmitter(wiring.Component):
    """Adds start byte and check to responses.

    Members
    -------
    response : stream of ResponseByte
        Back-pressure is honoured.
    bytes : stream of 8
        Back-pressure is honoured.

    Latency
    -------
    None; the start byte goes before the first byte is accepted.
    """

    def __init__(self):
        super().__init__(
            {"response": In(stream.Signature(ResponseByte())), "bytes": Out(stream.Signature(8))}
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.crc = crc = FRAME_CRC.create()
        index = Signal(range(CHECK_BYTES))
        byte = self.response.payload
        m.d.comb += crc.data.eq(byte.data)
        with m.FSM():
            with m.State("START"):
                m.d.comb += [
                    crc.start.eq(1),
                    self.bytes.payload.eq(RESPONSE_START),
                    self.bytes.valid.eq(self.response.valid),
                ]
                with m.If(self.bytes.valid & self.bytes.ready):
                    m.next = "BODY"
            with m.State("BODY"):
                m.d.comb += [
                    self.bytes.payload.eq(byte.data),
                    self.bytes.valid.eq(self.response.valid),
                    self.response.ready.eq(self.bytes.ready),
                    crc.valid.eq(self.response.valid & self.response.ready),
                ]
                with m.If(crc.valid & byte.last):
                    m.next = "CHECK"
            with m.State("CHECK"):
                m.d.comb += [
                    self.bytes.payload.eq(crc.crc.word_select(index, 8)),
                    self.bytes.valid.eq(1),
                ]
                with m.If(self.bytes.ready):
                    m.d.sync += index.eq(index + 1)
                    with m.If(index == CHECK_BYTES - 1):
                        m.next = "START"
        return m
