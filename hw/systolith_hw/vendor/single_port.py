"""Device memory with a single port, for blocks of memory that have no second one."""

from amaranth.hdl import Module, Mux
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from systolith_hw.board.ram import OnChipRam

__all__ = ["SinglePortRam", "SinglePortStore"]


class SinglePortStore(wiring.Component):
    """Words that are read or written, one a cycle.

    Parameters
    ----------
    data_bits : int
    depth : int
        Words.

    Members
    -------
    enable : 1
        Read, or write if any strobe is set.
    address : range(depth)
    write_data : data_bits
    write_strobe : data_bits // 8
        A bit per byte.
    read_data : data_bits
        What was read in the last cycle with ``enable``, from the next cycle on; undefined after a write.
    """

    def __init__(self, *, data_bits, depth):
        self._data_bits = data_bits
        self._depth = depth
        super().__init__(
            {
                "enable": In(1),
                "address": In(ceil_log2(depth)),
                "write_data": In(data_bits),
                "write_strobe": In(data_bits // 8),
                "read_data": Out(data_bits),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = words = memory.Memory(shape=self._data_bits, depth=self._depth, init=[])
        read = words.read_port()
        write = words.write_port(granularity=8)
        m.d.comb += [
            read.addr.eq(self.address),
            read.en.eq(self.enable & ~self.write_strobe.any()),
            self.read_data.eq(read.data),
            write.addr.eq(self.address),
            write.data.eq(self.write_data),
        ]
        with m.If(self.enable):
            m.d.comb += write.en.eq(self.write_strobe)
        return m


class SinglePortRam(OnChipRam):
    """Device memory of which a beat is read or written in a cycle; writes go first.

    A write waits while a beat that was read has nowhere to go, a read while a write is offered: responses to
    writes must be accepted whether or not reads go on.
    """

    store = SinglePortStore
    """Makes the words; for another form of them."""

    def _connect_store(self, m):
        m.submodules.store = store = self.store(data_bits=self._data_bits, depth=self._depth)
        address = Mux(self._write_wanted, self._write_address, self._read_address)
        m.d.comb += [
            self._read_waits.eq(self._write_wanted),
            self._write_waits.eq(self._stays),
            store.enable.eq(self._reads | self._writes | self._accesses),
            store.address.eq(Mux(self._wanted, self.access.address >> self._beat_bits, address)),
            store.write_data.eq(Mux(self._wanted, self.access.data, self.s_axi_wdata)),
            store.write_strobe.eq(self._write_strobe | self._access_strobe),
            self._word.eq(store.read_data),
        ]
