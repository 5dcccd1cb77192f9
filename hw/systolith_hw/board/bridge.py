"""Does what requests ask for, and says how it ended."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from systolith_hw.counting import next_count
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
    repeated as it comes, and what is read goes out as it comes. Memory is accessed byte by byte. After an
    access that was answered with an error there is no other.

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
    part : range(4)
    fact : 8
        Of the board's register at ``board.address`` the byte ``part``, if it never changes, or else zero.

    Latency
    -------
    A cycle per byte of a request, two per byte read, and what the accesses take.
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
                "part": Out(range(REGISTER_BYTES)),
                "fact": In(8),
            }
        )

    def elaborate(self, platform):
        m = Module()
        self._is_write = is_write = Signal()
        self._space = Signal(Space)
        self._status = status = Signal(LinkStatus)
        # What a byte of the header makes of the status, a cycle later.
        self._refused = Signal()
        self._outside = Signal()
        # Minus the bytes left.
        self._left = left = Signal(range(-PAYLOAD_MAX_BYTES, 1))
        self._address = Signal(self._address_bits)
        # A register's, which move through it: a byte in for one written, or out for one read.
        self._word = word = Signal(32)
        self._access_memory = Signal()
        self._access_register = Signal()
        is_memory = self._space == Space.MEMORY
        index = Signal(range(REQUEST_HEADER.size))
        read = Signal(8)
        has_ended = Signal()
        wanted = Signal()
        taken = Signal(8)
        # A byte of the payload moves; a register has been read, or will not be.
        moves = Signal()
        answered = Signal()
        done, response, memory_byte, register = self._connect_accesses(m)
        byte, out = self.requests.payload, self.response
        m.d.comb += [
            has_ended.eq(left >= 0),
            wanted.eq((status == LinkStatus.OKAY) & ~(self._refused | self._outside)),
            self.part.eq(left[: len(self.part)]),
            out.payload.data.eq(read),
        ]
        m.d.sync += [self._refused.eq(0), self._outside.eq(0)]
        with m.If(done):
            m.d.sync += status.eq(response)
        with m.If(self._refused):
            m.d.sync += status.eq(LinkStatus.REFUSED)
        with m.Elif(self._outside & (status == LinkStatus.OKAY)):
            m.d.sync += status.eq(LinkStatus.DECERR)
        with m.If(moves | answered):
            # The word is zero when a register is read, and nothing is read at any other time.
            m.d.sync += word.eq(Cat(word[8:], taken) | register)
        with m.FSM() as fsm:
            with m.State("HEADER"):
                is_repeated = index < RESPONSE_HEADER.size
                m.d.comb += [
                    out.payload.data.eq(byte),
                    out.valid.eq(self.requests.valid & is_repeated),
                    self.requests.ready.eq(out.ready | ~is_repeated),
                ]
                m.d.sync += word.eq(0)
                with m.If(self.requests.valid & self.requests.ready):
                    m.d.sync += index.eq(index + 1)
                    self._take_header(m, index, byte)
                    with m.If(index == REQUEST_HEADER.size - 1):
                        m.d.sync += index.eq(0)
                        with m.If(is_write):
                            m.next = "TAKE"
                        with m.Elif(is_memory):
                            m.next = "FETCH"
                        with m.Else():
                            m.next = "ACCESS"
            with m.State("TAKE"):
                with m.If(has_ended):
                    m.next = "ACCESS"
                with m.Else():
                    m.d.comb += [
                        taken.eq(byte),
                        self._access_memory.eq(self.requests.valid & is_memory & wanted),
                        self.requests.ready.eq(done | ~(is_memory & wanted)),
                    ]
                with m.If(self.requests.valid & self.requests.ready):
                    m.d.comb += moves.eq(1)
            with m.State("ACCESS"):
                m.d.comb += self._access_register.eq(wanted)
                with m.If(done | ~wanted | is_memory):
                    m.next = "END"
                    with m.If(~is_write):
                        m.d.comb += answered.eq(1)
                        m.next = "FETCH"
            with m.State("FETCH"):
                m.d.comb += self._access_memory.eq(is_memory & wanted & ~has_ended)
                m.d.sync += read.eq(memory_byte | word[:8] | self.fact)
                with m.If(has_ended):
                    m.next = "END"
                with m.Elif(done | ~(is_memory & wanted)):
                    m.d.comb += moves.eq(1)
                    m.next = "SEND"
            with m.State("SEND"):
                m.d.comb += out.valid.eq(1)
                with m.If(out.ready):
                    m.next = "FETCH"
            with m.State("END"):
                m.d.comb += [out.valid.eq(1), out.payload.data.eq(status), out.payload.last.eq(1)]
                with m.If(out.ready):
                    m.next = "HEADER"
        self._count(m, index, in_header=fsm.ongoing("HEADER"), moves=moves)
        return m

    def _take_header(self, m, index, byte):
        """Keep what a byte of the header says, and check it."""
        is_memory = self._space == Space.MEMORY
        refused, outside = self._refused, self._outside
        with m.Switch(index):
            with m.Case(0):
                m.d.sync += [
                    self._is_write.eq((byte & WRITE).any()),
                    self._space.eq(byte & SPACE_MASK),
                    self._status.eq(LinkStatus.OKAY),
                ]
                m.d.sync += refused.eq(
                    (byte & ~(WRITE | SPACE_MASK)).any() | (byte & SPACE_MASK == SPACE_MASK)
                )
            with m.Case(1):
                m.d.sync += refused.eq(~is_memory & (byte != REGISTER_BYTES - 1))
            for number in range(4):
                with m.Case(RESPONSE_HEADER.size + number):
                    kept = self._address[8 * number : 8 * number + 8]
                    unused = byte[: exact_log2(REGISTER_BYTES)] if number == 0 else byte
                    m.d.sync += [
                        refused.eq(~is_memory & unused.any()),
                        outside.eq(is_memory & byte[len(kept) :].any()),
                    ]

    def _count(self, m, index, *, in_header, moves):
        """Keep length and address, byte by byte of the header, and count both as the payload moves."""
        byte = self.requests.payload
        taken = in_header & self.requests.valid & self.requests.ready
        next_left = next_count(self._left, loads=in_header, value=Cat(~byte, 1))
        with m.If(moves | (taken & (index == 1))):
            m.d.sync += self._left.eq(next_left)
        next_address = next_count(self._address, loads=in_header, value=byte.replicate(4))
        counts = moves & (self._space == Space.MEMORY)
        for number in range(4):
            place = slice(8 * number, 8 * number + 8)
            with m.If(counts | (taken & (index == RESPONSE_HEADER.size + number))):
                m.d.sync += self._address[place].eq(next_address[place])

    def _connect_accesses(self, m):
        """Offer every space its accesses.

        Returns
        -------
        done, response : Signal
        memory_byte, register : Value
            What was read; zero unless it was from memory, from a register.
        """
        done = Signal()
        response = Signal(2)
        byte = self.requests.payload
        lanes = Signal(self._data_bits // 8)
        lane_bits = exact_log2(len(lanes))
        memory_byte = Signal(8)
        register = Signal(32)
        with m.If(self._space == Space.MEMORY):
            m.d.comb += lanes.eq(1 << self._address[:lane_bits])
        for lane, chosen in enumerate(lanes):
            read = self.memory.read_data.word_select(lane, 8)
            memory_byte = memory_byte | Mux(chosen, read, 0)
        accesses = {Space.MEMORY: self.memory, Space.DEVICE: self.device, Space.BOARD: self.board}
        for space, access in accesses.items():
            asks = self._access_memory if space is Space.MEMORY else self._access_register
            m.d.comb += [access.request.eq(asks & (self._space == space)), access.write.eq(self._is_write)]
            with m.If(self._space == space):
                m.d.comb += response.eq(access.response)
        for access in (self.device, self.board):
            m.d.comb += [access.data.eq(self._word), access.strobe.eq(-1)]
        m.d.comb += [
            done.eq(Cat(access.done for access in accesses.values()).any()),
            self.memory.address.eq(self._address & -len(lanes)),
            self.memory.data.eq(byte.replicate(len(lanes))),
            self.memory.strobe.eq(lanes),
            self.device.address.eq(self._address),
            # Of the board's registers none is the last one: other spaces read no facts.
            self.board.address.eq(Mux(self._space == Space.BOARD, self._address, -REGISTER_BYTES)),
            register.eq(Mux(self.device.request, self.device.read_data, 0) | self.board.read_data),
        ]
        return done, response, memory_byte, register
