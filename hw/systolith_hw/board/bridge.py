"""Does what requests ask for, and says how it ended."""

from amaranth.hdl import Module, Mux, Signal
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

    A response begins with its request and ends with its status, so nothing of it is kept: the header is
    repeated as it comes, and what is read goes out as it comes. The bytes of a beat that the request does not
    name are neither written nor sent. After an access that was answered with an error there is no other.

    Parameters
    ----------
    data_bits : int
        Of the memory.
    address_bits : int
        Likewise, more than its size needs. Beyond them the bridge itself says that there is no memory.

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
    A cycle per byte, and two per access beside what the access takes.
    """

    def __init__(self, *, data_bits, address_bits):
        self._data_bits = data_bits
        self._address_bits = address_bits
        super().__init__(
            {
                "requests": In(stream.Signature(8)),
                "response": Out(stream.Signature(ResponseByte())),
                "memory": Out(Access(data_bits=data_bits, address_bits=address_bits)),
                "device": Out(Access(data_bits=32, address_bits=ADDRESS_SPACE_BITS)),
                "board": Out(Access(data_bits=32, address_bits=ADDRESS_SPACE_BITS)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        beat_bytes = self._data_bits // 8
        self._is_write = Signal()
        self._space = Signal(Space)
        self._status = status = Signal(LinkStatus)
        self._left = left = Signal(range(-1, PAYLOAD_MAX_BYTES))
        lane = Signal(exact_log2(beat_bytes))
        self._address = Signal(self._address_bits)
        self._beat = beat = Signal(self._data_bits)
        self._strobe = strobe = Signal(beat_bytes)
        self._request = Signal()
        beat_number = self._address[len(lane) :]
        index = Signal(range(REQUEST_HEADER.size))
        last_lane = Signal()
        has_ended = Signal()
        # Nothing is accessed in vain.
        wanted = Signal()
        done, read_data, response = self._connect_accesses(m)
        byte, out = self.requests.payload, self.response
        m.d.comb += [
            last_lane.eq(lane.all()),
            has_ended.eq(left < 0),
            wanted.eq((status == LinkStatus.OKAY) & (self._is_write | ~has_ended)),
            out.payload.data.eq(beat.word_select(lane, 8)),
        ]
        with m.FSM():
            with m.State("HEADER"):
                is_repeated = index < RESPONSE_HEADER.size
                m.d.comb += [
                    out.payload.data.eq(byte),
                    out.valid.eq(self.requests.valid & is_repeated),
                    self.requests.ready.eq(out.ready | ~is_repeated),
                ]
                with m.If(self.requests.valid & self.requests.ready):
                    m.d.sync += index.eq(index + 1)
                    with m.If(index == RESPONSE_HEADER.size):
                        m.d.sync += lane.eq(Mux(self._space == Space.MEMORY, byte, 0))
                    self._take_header(m, index, byte)
                    with m.If(index == REQUEST_HEADER.size - 1):
                        m.d.sync += index.eq(0)
                        m.next = "ACCESS"
                        with m.If(self._is_write):
                            m.next = "TAKE"
            with m.State("TAKE"):
                m.d.comb += self.requests.ready.eq(~has_ended)
                with m.If(self.requests.valid & ~has_ended):
                    m.d.sync += [
                        beat.word_select(lane, 8).eq(byte),
                        strobe.bit_select(lane, 1).eq(1),
                        lane.eq(lane + 1),
                        left.eq(left - 1),
                    ]
                with m.If(has_ended | (self.requests.valid & last_lane)):
                    m.next = "ACCESS"
            with m.State("ACCESS"):
                m.d.comb += self._request.eq(wanted)
                with m.If(~self._is_write):
                    m.d.sync += beat.eq(read_data)
                with m.If(wanted & done):
                    m.d.sync += status.eq(response)
                with m.If(~wanted | done):
                    m.d.sync += [beat_number.eq(beat_number + 1), strobe.eq(0)]
                    with m.If(has_ended):
                        m.next = "END"
                    with m.Elif(self._is_write):
                        m.next = "TAKE"
                    with m.Else():
                        m.next = "SEND"
            with m.State("SEND"):
                m.d.comb += out.valid.eq(~has_ended)
                with m.If(has_ended):
                    m.next = "END"
                with m.Elif(out.ready):
                    m.d.sync += [lane.eq(lane + 1), left.eq(left - 1)]
                    with m.If(last_lane):
                        m.next = "ACCESS"
            with m.State("END"):
                m.d.comb += [out.valid.eq(1), out.payload.data.eq(status), out.payload.last.eq(1)]
                with m.If(out.ready):
                    m.next = "HEADER"
        return m

    def _take_header(self, m, index, byte):
        """Keep what a byte of the header says, and check it."""
        is_memory = self._space == Space.MEMORY
        refused = Signal()
        outside = Signal()
        with m.Switch(index):
            with m.Case(0):
                m.d.sync += [
                    self._is_write.eq((byte & WRITE).any()),
                    self._space.eq(byte & SPACE_MASK),
                    self._status.eq(LinkStatus.OKAY),
                ]
                m.d.comb += refused.eq(
                    (byte & ~(WRITE | SPACE_MASK)).any() | (byte & SPACE_MASK == SPACE_MASK)
                )
            with m.Case(1):
                m.d.sync += self._left.eq(byte)
                m.d.comb += refused.eq(~is_memory & (byte != REGISTER_BYTES - 1))
            for number in range(4):
                with m.Case(RESPONSE_HEADER.size + number):
                    kept = self._address[8 * number : 8 * number + 8]
                    m.d.sync += kept.eq(byte)
                    unused = byte[: exact_log2(REGISTER_BYTES)] if number == 0 else byte
                    m.d.comb += [
                        refused.eq(~is_memory & unused.any()),
                        outside.eq(is_memory & byte[len(kept) :].any()),
                    ]
        with m.If(refused):
            m.d.sync += self._status.eq(LinkStatus.REFUSED)
        with m.Elif(outside & (self._status == LinkStatus.OKAY)):
            m.d.sync += self._status.eq(LinkStatus.DECERR)

    def _connect_accesses(self, m):
        """Offer every space its accesses; whether one is done, what it read, and its response."""
        done = Signal()
        read_data = Signal(self._data_bits)
        response = Signal(2)
        spaces = {Space.MEMORY: self.memory, Space.DEVICE: self.device, Space.BOARD: self.board}
        for space, access in spaces.items():
            access_bytes = self._data_bits // 8 if space is Space.MEMORY else REGISTER_BYTES
            m.d.comb += [
                access.request.eq(self._request & (self._space == space)),
                access.write.eq(self._is_write),
                access.address.eq(self._address & -access_bytes),
                access.data.eq(self._beat),
                access.strobe.eq(self._strobe),
            ]
        with m.Switch(self._space):
            for space, access in spaces.items():
                with m.Case(space):
                    m.d.comb += [
                        done.eq(access.done),
                        read_data.eq(access.read_data),
                        response.eq(access.response),
                    ]
        return done, read_data, response
