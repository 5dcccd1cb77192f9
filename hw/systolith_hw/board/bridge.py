"""Does what requests ask for, and says how it ended."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from systolith_hw.link import (
    PAYLOAD_MAX_BYTES,
    REQUEST_HEADER,
    RESPONSE_HEADER,
    SPACE_MASK,
    WRITE,
    LinkStatus,
    Space,
)
from systolith_hw.registers import ADDRESS_SPACE_BITS

from .bus_access import Access
from .frame_transmitter import ResponseByte

__all__ = ["Bridge"]

REGISTER_BYTES = 4


class Bridge(wiring.Component):
    """Turns each request into accesses, one after the other, and into a response.

    A response begins before the first access and ends with its status, so nothing of it is kept: what is
    read goes out as it comes. The bytes of a beat that the request does not name are neither written nor
    sent.

    Parameters
    ----------
    data_bits : int
        Of the memory.

    Members
    -------
    requests : stream of 8
        Headers and payloads of whole requests. Back-pressure is honoured.
    response : stream of ResponseByte
        Back-pressure is honoured.
    memory, device, board : Access
        To each :class:`~systolith_hw.link.Space`.

    Latency
    -------
    A cycle per byte, and one per access beside what the access takes.
    """

    def __init__(self, *, data_bits):
        self._data_bits = data_bits
        super().__init__(
            {
                "requests": In(stream.Signature(8)),
                "response": Out(stream.Signature(ResponseByte())),
                "memory": Out(Access(data_bits=data_bits)),
                "device": Out(Access(data_bits=32)),
                "board": Out(Access(data_bits=32)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        beat_bytes = self._data_bits // 8
        header = Signal(8 * REQUEST_HEADER.size)
        operation, length, address = header[:8], header[8:16], header[-32:]
        index = Signal(range(REQUEST_HEADER.size))
        left = Signal(range(PAYLOAD_MAX_BYTES + 1))
        lane = Signal(exact_log2(beat_bytes))
        beat = Signal(self._data_bits)
        strobe = Signal(beat_bytes)
        status = Signal(LinkStatus)
        is_write = Signal()
        is_memory = Signal()
        is_wrong = Signal()
        last_lane = Signal()
        is_register = length == REGISTER_BYTES - 1
        m.d.comb += [
            is_write.eq((operation & WRITE).any()),
            is_memory.eq(operation & SPACE_MASK == Space.MEMORY),
            last_lane.eq(lane == Mux(is_memory, beat_bytes - 1, REGISTER_BYTES - 1)),
            is_wrong.eq(
                (operation & ~(WRITE | SPACE_MASK)).any()
                | (operation & SPACE_MASK == SPACE_MASK)
                | (~is_memory & (~is_register | (address & ~_REGISTER_ADDRESSES).any()))
            ),
        ]
        done, read_data, response = self._connect_accesses(m, operation, address, beat, strobe)

        out = self.response
        with m.FSM() as fsm:
            with m.State("HEADER"):
                m.d.comb += self.requests.ready.eq(1)
                with m.If(self.requests.valid):
                    m.d.sync += [
                        header.eq(Cat(header[8:], self.requests.payload)),
                        index.eq(index + 1),
                    ]
                    with m.If(index == REQUEST_HEADER.size - 1):
                        m.d.sync += index.eq(0)
                        m.next = "BEGIN"
            with m.State("BEGIN"):
                m.d.comb += [out.valid.eq(1), out.payload.data.eq(header.word_select(index, 8))]
                m.d.sync += [
                    left.eq(length + 1),
                    lane.eq(Mux(is_memory, address, 0)),
                    status.eq(Mux(is_wrong, LinkStatus.REFUSED, LinkStatus.OKAY)),
                    strobe.eq(0),
                ]
                with m.If(out.ready):
                    m.d.sync += index.eq(index + 1)
                    with m.If(index == RESPONSE_HEADER.size - 1):
                        m.d.sync += index.eq(0)
                        with m.If(is_write):
                            m.next = "TAKE"
                        with m.Elif(is_wrong):
                            m.next = "SEND"
                        with m.Else():
                            m.next = "ACCESS"
            with m.State("TAKE"):
                m.d.comb += self.requests.ready.eq(1)
                with m.If(self.requests.valid):
                    m.d.sync += [
                        beat.word_select(lane, 8).eq(self.requests.payload),
                        strobe.bit_select(lane, 1).eq(1),
                        lane.eq(lane + 1),
                        left.eq(left - 1),
                    ]
                    with m.If(is_wrong):
                        with m.If(left == 1):
                            m.next = "END"
                    with m.Elif(last_lane | (left == 1)):
                        m.next = "ACCESS"
            with m.State("ACCESS"), m.If(done):
                m.d.sync += strobe.eq(0)
                with m.If(status == LinkStatus.OKAY):
                    m.d.sync += status.eq(response)
                m.next = "SEND"
                with m.If(is_write):
                    m.d.sync += [header[-32:].eq(address + beat_bytes), lane.eq(0)]
                    m.next = "TAKE"
                    with m.If(left == 0):
                        m.next = "END"
                with m.Else():
                    m.d.sync += beat.eq(read_data)
            with m.State("SEND"):
                m.d.comb += [out.valid.eq(1), out.payload.data.eq(beat.word_select(lane, 8))]
                with m.If(out.ready):
                    m.d.sync += [lane.eq(lane + 1), left.eq(left - 1)]
                    with m.If(left == 1):
                        m.next = "END"
                    with m.Elif(last_lane & ~is_wrong):
                        m.d.sync += [header[-32:].eq(address + beat_bytes), lane.eq(0)]
                        m.next = "ACCESS"
            with m.State("END"):
                m.d.comb += [out.valid.eq(1), out.payload.data.eq(status), out.payload.last.eq(1)]
                with m.If(out.ready):
                    m.next = "HEADER"
        m.d.comb += self._accessing.eq(fsm.ongoing("ACCESS"))
        return m

    def _connect_accesses(self, m, operation, address, beat, strobe):
        """Offer every space its accesses; whether one is done, what it read, and its response."""
        self._accessing = Signal()
        done = Signal()
        read_data = Signal(self._data_bits)
        response = Signal(2)
        spaces = {Space.MEMORY: self.memory, Space.DEVICE: self.device, Space.BOARD: self.board}
        for space, access in spaces.items():
            chosen = operation & SPACE_MASK == space
            aligned = address & -(self._data_bits // 8) if space is Space.MEMORY else address
            m.d.comb += [
                access.request.eq(self._accessing & chosen),
                access.write.eq((operation & WRITE).any()),
                access.address.eq(aligned),
                access.data.eq(beat),
                access.strobe.eq(strobe),
            ]
            with m.If(chosen):
                m.d.comb += [
                    done.eq(access.done),
                    read_data.eq(access.read_data),
                    response.eq(access.response),
                ]
        return done, read_data, response


_REGISTER_ADDRESSES = (1 << ADDRESS_SPACE_BITS) - REGISTER_BYTES
