"""Wraps responses in start byte and check."""

from amaranth.hdl import Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from systolith_hw.link import CHECK_BYTES, RESPONSE_START

from .checksum import FrameCheck

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
        Back-pressure is honoured; a byte every nine cycles at best, for the check takes in a bit a cycle.

    Latency
    -------
    None; the start byte goes before the first byte of a response, and each of these is accepted eight cycles
    after it was sent.
    """

    def __init__(self):
        super().__init__(
            {"response": In(stream.Signature(ResponseByte())), "bytes": Out(stream.Signature(8))}
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.check = check = FrameCheck()
        steps = Signal(range(8 * CHECK_BYTES))
        ends_byte = steps[:3].all()
        byte = self.response.payload
        m.d.comb += [
            self.bytes.payload.eq(byte.data),
            check.bit.eq(byte.data.bit_select(steps[:3], 1)),
        ]
        with m.If(check.step):
            m.d.sync += steps.eq(steps + 1)
        with m.FSM():
            with m.State("START"):
                m.d.comb += [
                    check.start.eq(1),
                    self.bytes.payload.eq(RESPONSE_START),
                    self.bytes.valid.eq(self.response.valid),
                ]
                with m.If(self.bytes.valid & self.bytes.ready):
                    m.next = "SEND"
            with m.State("SEND"):
                m.d.comb += self.bytes.valid.eq(self.response.valid)
                with m.If(self.bytes.valid & self.bytes.ready):
                    m.next = "TAKE_IN"
            with m.State("TAKE_IN"):
                m.d.comb += [check.step.eq(1), self.response.ready.eq(ends_byte)]
                with m.If(ends_byte):
                    m.next = "SEND"
                    with m.If(byte.last):
                        m.d.sync += steps.eq(0)
                        m.next = "SEND_CHECK"
            with m.State("SEND_CHECK"):
                m.d.comb += [self.bytes.payload.eq(check.check), self.bytes.valid.eq(1)]
                with m.If(self.bytes.ready):
                    m.next = "TURN"
            with m.State("TURN"):
                m.d.comb += [check.step.eq(1), check.turn.eq(1)]
                with m.If(ends_byte):
                    m.next = "SEND_CHECK"
                with m.If(steps.all()):
                    m.next = "START"
        return m
