"""Device memory on the chip, behind AXI4."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import memory, wiring
from amaranth.utils import exact_log2

from systolith_hw.axi import BOUNDARY_BYTES, BURST_INCR, Response, axi4_manager_ports
from systolith_hw.config import ADDRESS_BITS

__all__ = ["OnChipRam"]


class OnChipRam(wiring.Component):
    """Block RAM from address 0 on, as an AXI4 subordinate; one beat of reads and one of writes per cycle.

    Serves incrementing bursts of full beats, and answers all others with SLVERR; answers DECERR outside the
    memory. A write that is answered with an error writes nothing. Bursts of one kind are answered in order,
    reads and writes independently of each other: a byte that is read in the cycle in which it is written is
    undefined.

    Parameters
    ----------
    memory_bytes : int
        A multiple of 4096.
    data_bits : int

    Members
    -------
    s_axi_*
        AXI4. Back-pressure is honoured on every channel.

    Latency
    -------
    One cycle from a read address to its first beat, likewise from the last beat of a write to its response.
    The first beat of a write is taken after its address. Bursts follow each other without a pause.

    Raises
    ------
    ValueError
        If the size is no multiple of 4096.
    """

    READ_LATENCY = 1

    def __init__(self, *, memory_bytes, data_bits):
        if memory_bytes <= 0 or memory_bytes % BOUNDARY_BYTES:
            raise ValueError(f"memory_bytes must be a multiple of {BOUNDARY_BYTES}, not {memory_bytes}")
        self.memory_bytes = memory_bytes
        self._data_bits = data_bits
        ports = axi4_manager_ports(prefix="s_axi_", data_bits=data_bits, address_bits=ADDRESS_BITS)
        super().__init__({name: member.flip() for name, member in ports.items()})

    def elaborate(self, platform):
        m = Module()
        self._beat_bits = exact_log2(self._data_bits // 8)
        depth = self.memory_bytes >> self._beat_bits
        # For a memory that cannot read and write in one cycle.
        self._read_waits = Signal()
        self._write_waits = Signal()
        self._writes = Signal()
        read, write = self._ports(m, depth)
        self._read(m, read, depth)
        self._write(m, write, depth)
        return m

    def _ports(self, m, depth):
        """The read port and the write port of the memory; for another form of it."""
        m.submodules.memory = store = memory.Memory(shape=self._data_bits, depth=depth, init=[])
        write = store.write_port(granularity=8)
        # The blocks are far from each other: what they write waits beside them.
        waiting = write.signature.flip().create()
        m.d.sync += [getattr(write, name).eq(getattr(waiting, name)) for name in ("addr", "data", "en")]
        return store.read_port(), waiting

    def _error(self, channel):
        """The response that a burst deserves."""

        def port(name):
            return getattr(self, f"s_axi_{channel}{name}")

        wrong = (port("burst") != BURST_INCR) | (port("size") != self._beat_bits)
        outside = port("addr") // BOUNDARY_BYTES >= self.memory_bytes // BOUNDARY_BYTES
        return Mux(wrong, Response.SLVERR, Mux(outside, Response.DECERR, Response.OKAY))

    def _read(self, m, port, depth):
        active = Signal()
        address = Signal(range(depth))
        left = Signal(8)
        error = Signal(2)
        identifier = Signal.like(self.s_axi_arid)
        issue = Signal()
        last = Signal()
        m.d.comb += [
            last.eq(left == 0),
            issue.eq(active & (~self.s_axi_rvalid | self.s_axi_rready) & ~self._read_waits),
            self.s_axi_arready.eq(~active | (issue & last)),
            port.addr.eq(address),
            port.en.eq(issue),
            self.s_axi_rdata.eq(port.data),
        ]
        with m.If(self.s_axi_rready):
            m.d.sync += self.s_axi_rvalid.eq(0)
        with m.If(issue):
            m.d.sync += [
                self.s_axi_rvalid.eq(1),
                self.s_axi_rlast.eq(last),
                self.s_axi_rresp.eq(error),
                self.s_axi_rid.eq(identifier),
                address.eq(address + 1),
                left.eq(left - 1),
            ]
        with m.If(self.s_axi_arready):
            m.d.sync += [
                active.eq(self.s_axi_arvalid),
                address.eq(self.s_axi_araddr >> self._beat_bits),
                left.eq(self.s_axi_arlen),
                error.eq(self._error("ar")),
                identifier.eq(self.s_axi_arid),
            ]

    def _write(self, m, port, depth):
        active = Signal()
        address = Signal(range(depth))
        error = Signal(2)
        identifier = Signal.like(self.s_axi_awid)
        take = Signal()
        room = (~self.s_axi_bvalid | self.s_axi_bready) & ~self._write_waits
        m.d.comb += [
            self.s_axi_wready.eq(active & room),
            take.eq(self.s_axi_wvalid & self.s_axi_wready),
            self.s_axi_awready.eq(~active | (take & self.s_axi_wlast)),
            self._writes.eq(take),
            port.addr.eq(address),
            port.data.eq(self.s_axi_wdata),
            port.en.eq(Mux(take & (error == Response.OKAY), self.s_axi_wstrb, 0)),
        ]
        with m.If(self.s_axi_bready):
            m.d.sync += self.s_axi_bvalid.eq(0)
        with m.If(take):
            m.d.sync += address.eq(address + 1)
            with m.If(self.s_axi_wlast):
                m.d.sync += [
                    self.s_axi_bvalid.eq(1),
                    self.s_axi_bresp.eq(error),
                    self.s_axi_bid.eq(identifier),
                ]
        with m.If(self.s_axi_awready):
            m.d.sync += [
                active.eq(self.s_axi_awvalid),
                address.eq(self.s_axi_awaddr >> self._beat_bits),
                error.eq(self._error("aw")),
                identifier.eq(self.s_axi_awid),
            ]
