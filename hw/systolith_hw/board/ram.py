"""Device memory on the chip, behind AXI4."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In
from amaranth.utils import bits_for, exact_log2

from systolith_hw.axi import BOUNDARY_BYTES, BURST_INCR, Response, axi4_manager_ports
from systolith_hw.config import ADDRESS_BITS
from systolith_hw.counting import next_count

from .bus_access import Access

__all__ = ["OnChipRam"]


class OnChipRam(wiring.Component):
    """Block RAM from address 0 on, as an AXI4 subordinate; one beat of reads and one of writes per cycle.

    Serves incrementing bursts of full beats, and answers all others with SLVERR; answers DECERR outside the
    memory. A write that is answered with an error writes nothing. Bursts of one kind are answered in order,
    reads and writes independently of each other: a byte that is read in the cycle in which it is written is
    undefined. Who wants single words has an access of its own, which goes first and is alone in its cycle.

    Parameters
    ----------
    memory_bytes : int
        A multiple of 4096.
    data_bits : int

    Members
    -------
    s_axi_*
        AXI4. Back-pressure is honoured on every channel.
    access : Access
        Waits while a beat that was read has not been accepted.

    Latency
    -------
    ``READ_LATENCY`` cycles from a read address to its first beat, one from the last beat of a write to its
    response. The first beat of a write is taken after its address. Bursts follow each other without a pause.
    An access that need not wait is done ``READ_LATENCY + 1`` cycles after its request.

    Raises
    ------
    ValueError
        If the size is no multiple of 4096.
    """

    READ_LATENCY = 2

    def __init__(self, *, memory_bytes, data_bits):
        if memory_bytes <= 0 or memory_bytes % BOUNDARY_BYTES:
            raise ValueError(f"memory_bytes must be a multiple of {BOUNDARY_BYTES}, not {memory_bytes}")
        self.memory_bytes = memory_bytes
        self._data_bits = data_bits
        ports = axi4_manager_ports(prefix="s_axi_", data_bits=data_bits, address_bits=ADDRESS_BITS)
        access = Access(data_bits=data_bits, address_bits=bits_for(memory_bytes))
        super().__init__({name: member.flip() for name, member in ports.items()} | {"access": In(access)})

    def elaborate(self, platform):
        m = Module()
        self._beat_bits = exact_log2(self._data_bits // 8)
        self._depth = self.memory_bytes >> self._beat_bits
        # Whether there is a beat to be written. For a memory that cannot read and write in one cycle.
        self._write_wanted = Signal()
        self._read_waits = Signal()
        self._write_waits = Signal()
        # What is read and written in this cycle.
        self._reads = Signal()
        self._read_address = Signal(range(self._depth))
        self._writes = Signal()
        self._write_address = Signal(range(self._depth))
        self._write_strobe = Signal(self._data_bits // 8)
        # Whether an access is wanted, whether it cannot be yet, and whether it is.
        self._wanted = Signal()
        self._access_waits = Signal()
        self._accesses = Signal()
        self._access_strobe = Signal(self._data_bits // 8)
        # Whose word the memory gives, and whether it must stay there.
        self._is_beat = Signal()
        self._is_access = Signal()
        self._stays = Signal()
        self._word = Signal(self._data_bits)
        self._access(m)
        self._read(m)
        self._write(m)
        self._connect_store(m)
        return m

    def _connect_store(self, m):
        """The words; for another form of them."""
        m.submodules.memory = store = memory.Memory(shape=self._data_bits, depth=self._depth, init=[])
        read, write = store.read_port(), store.write_port(granularity=8)
        word = self.access.address >> self._beat_bits
        m.d.comb += [
            read.addr.eq(Mux(self._wanted, word, self._read_address)),
            read.en.eq(~self._stays),
            self._word.eq(read.data),
        ]
        # The blocks are far from each other: what they write waits beside them.
        m.d.sync += [
            self._access_waits.eq(self._writes),
            write.addr.eq(Mux(self._wanted, word, self._write_address)),
            write.data.eq(Mux(self._wanted, self.access.data, self.s_axi_wdata)),
            write.en.eq(self._write_strobe | self._access_strobe),
        ]

    def _access(self, m):
        access = self.access
        outside = access.address >= self.memory_bytes
        m.d.comb += [
            self._accesses.eq(self._wanted & ~(self._stays | self._access_waits)),
            access.response.eq(Mux(outside, Response.DECERR, Response.OKAY)),
            access.read_data.eq(self.s_axi_rdata),
        ]
        with m.If(self._accesses & access.write & ~outside):
            m.d.comb += self._access_strobe.eq(access.strobe)
        with m.If(~self._stays):
            m.d.sync += self._is_access.eq(self._accesses)
        m.d.sync += [
            self._wanted.eq(access.request & ~(self._accesses | self._is_access | access.done)),
            access.done.eq(self._is_access & ~self._stays),
        ]

    def _error(self, channel):
        """The response that a burst deserves."""

        def port(name):
            return getattr(self, f"s_axi_{channel}{name}")

        wrong = (port("burst") != BURST_INCR) | (port("size") != self._beat_bits)
        outside = port("addr") // BOUNDARY_BYTES >= self.memory_bytes // BOUNDARY_BYTES
        return Mux(wrong, Response.SLVERR, Mux(outside, Response.DECERR, Response.OKAY))

    def _within(self, address):
        """The part of a beat's address that changes during a burst: none crosses a boundary."""
        return address[: exact_log2(BOUNDARY_BYTES) - self._beat_bits]

    def _beyond(self, address):
        """The rest of it."""
        return address[exact_log2(BOUNDARY_BYTES) - self._beat_bits :]

    def _move(self, address, begins, burst_address):
        """Go on to the next beat, or begin with the first of a burst."""
        first = self._within(burst_address >> self._beat_bits)
        return self._within(address).eq(next_count(self._within(address), loads=begins, value=first))

    def _read(self, m):
        active = Signal()
        address = self._read_address
        # Minus the beats left.
        left = Signal(8)
        error = Signal(2)
        identifier = Signal.like(self.s_axi_arid)
        issue = self._reads
        last = Signal()
        # Whether the next address, if there is one, is that of a burst.
        begins = Signal()
        # Of the beat that the memory gives, what comes with it.
        beat_last, beat_error, beat_identifier = Signal(), Signal.like(error), Signal.like(identifier)
        taken = Signal()
        m.d.comb += [
            last.eq(left.all()),
            begins.eq(~active | last),
            taken.eq(~self.s_axi_rvalid | self.s_axi_rready),
            self._stays.eq((self._is_beat | self._is_access) & ~taken),
            issue.eq(active & ~(self._stays | self._wanted | self._read_waits)),
            self.s_axi_arready.eq(~active | (issue & last)),
        ]
        with m.If(taken):
            m.d.sync += [
                self.s_axi_rvalid.eq(self._is_beat),
                self.s_axi_rlast.eq(beat_last),
                self.s_axi_rresp.eq(beat_error),
                self.s_axi_rid.eq(beat_identifier),
                self.s_axi_rdata.eq(self._word),
            ]
        with m.If(~self._stays):
            m.d.sync += [
                self._is_beat.eq(issue),
                beat_last.eq(last),
                beat_error.eq(error),
                beat_identifier.eq(identifier),
            ]
        with m.If(issue | self.s_axi_arready):
            m.d.sync += [
                self._move(address, begins, self.s_axi_araddr),
                left.eq(next_count(left, loads=begins, value=~self.s_axi_arlen)),
            ]
        with m.If(self.s_axi_arready):
            m.d.sync += [
                active.eq(self.s_axi_arvalid),
                self._beyond(address).eq(self._beyond(self.s_axi_araddr >> self._beat_bits)),
                error.eq(self._error("ar")),
                identifier.eq(self.s_axi_arid),
            ]

    def _write(self, m):
        active = Signal()
        address = self._write_address
        error = Signal(2)
        identifier = Signal.like(self.s_axi_awid)
        take = self._writes
        room = (~self.s_axi_bvalid | self.s_axi_bready) & ~(self._wanted | self._write_waits)
        m.d.comb += [
            self.s_axi_wready.eq(active & room),
            self._write_wanted.eq(active & self.s_axi_wvalid),
            take.eq(self.s_axi_wvalid & self.s_axi_wready),
            self.s_axi_awready.eq(~active | (take & self.s_axi_wlast)),
            self._write_strobe.eq(Mux(take & (error == Response.OKAY), self.s_axi_wstrb, 0)),
        ]
        with m.If(self.s_axi_bready):
            m.d.sync += self.s_axi_bvalid.eq(0)
        with m.If(take & self.s_axi_wlast):
            m.d.sync += [
                self.s_axi_bvalid.eq(1),
                self.s_axi_bresp.eq(error),
                self.s_axi_bid.eq(identifier),
            ]
        with m.If(take | self.s_axi_awready):
            m.d.sync += self._move(address, ~active | self.s_axi_wlast, self.s_axi_awaddr)
        with m.If(self.s_axi_awready):
            m.d.sync += [
                active.eq(self.s_axi_awvalid),
                self._beyond(address).eq(self._beyond(self.s_axi_awaddr >> self._beat_bits)),
                error.eq(self._error("aw")),
                identifier.eq(self.s_axi_awid),
            ]
