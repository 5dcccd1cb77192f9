"""Lets the accelerator and the link share one memory."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring

from systolith_hw.axi import axi4_manager_ports

__all__ = ["MemoryArbiter"]


class MemoryArbiter(wiring.Component):
    """Two AXI4 managers before one subordinate. The second goes first: it wants little, and rarely.

    Identifiers tell the two apart on the way back: the subordinate must return them. Each manager may have
    any number of reads outstanding. Writes are granted burst by burst.

    Parameters
    ----------
    data_bits, address_bits : int

    Members
    -------
    s0_axi_*, s1_axi_*
        AXI4 from the managers, whose own identifiers are not used.
    m_axi_*
        AXI4 to the subordinate.

    Back-pressure is honoured; nothing is delayed but by the other manager.
    """

    def __init__(self, *, data_bits, address_bits):
        ports = {}
        for prefix in ("s0_axi_", "s1_axi_", "m_axi_"):
            members = axi4_manager_ports(prefix=prefix, data_bits=data_bits, address_bits=address_bits)
            flip = prefix != "m_axi_"
            ports |= {name: member.flip() if flip else member for name, member in members.items()}
        super().__init__(ports)

    def elaborate(self, platform):
        m = Module()
        self._arbitrate_reads(m)
        self._arbitrate_writes(m)
        for channel in ("b", "r"):
            self._route(m, channel)
        return m

    def _port(self, prefix, name):
        return getattr(self, f"{prefix}_axi_{name}")

    def _forward(self, m, chosen, names):
        for name in names:
            m.d.comb += self._port("m", name).eq(Mux(chosen, self._port("s1", name), self._port("s0", name)))

    def _arbitrate_reads(self, m):
        chosen = Signal()
        held = Signal()
        holder = Signal()
        m.d.comb += chosen.eq(Mux(held, holder, self.s1_axi_arvalid))
        self._forward(m, chosen, [f"ar{name}" for name in (*_ADDRESS, "valid")])
        m.d.comb += [
            self.m_axi_arid.eq(chosen),
            self.s0_axi_arready.eq(self.m_axi_arready & ~chosen),
            self.s1_axi_arready.eq(self.m_axi_arready & chosen),
        ]
        # An address that was offered must stand until it is taken.
        m.d.sync += [held.eq(self.m_axi_arvalid & ~self.m_axi_arready), holder.eq(chosen)]

    def _arbitrate_writes(self, m):
        chosen = Signal()
        granted = Signal()
        held = Signal()
        holder = Signal()
        address_taken = Signal()
        data_taken = Signal()
        address_done = Signal()
        data_done = Signal()
        m.d.comb += [
            chosen.eq(Mux(held, holder, self.s1_axi_awvalid)),
            granted.eq(held | self.s0_axi_awvalid | self.s1_axi_awvalid),
        ]
        self._forward(m, chosen, [*(f"aw{name}" for name in _ADDRESS), "wdata", "wstrb", "wlast"])
        m.d.comb += self.m_axi_awid.eq(chosen)
        for channel, taken in (("aw", address_taken), ("w", data_taken)):
            valid = Mux(chosen, self._port("s1", f"{channel}valid"), self._port("s0", f"{channel}valid"))
            ready = self._port("m", f"{channel}ready") & granted & ~taken
            m.d.comb += [
                self._port("m", f"{channel}valid").eq(valid & granted & ~taken),
                self._port("s0", f"{channel}ready").eq(ready & ~chosen),
                self._port("s1", f"{channel}ready").eq(ready & chosen),
            ]
        m.d.comb += [
            address_done.eq(address_taken | (self.m_axi_awvalid & self.m_axi_awready)),
            data_done.eq(data_taken | (self.m_axi_wvalid & self.m_axi_wready & self.m_axi_wlast)),
        ]
        m.d.sync += [held.eq(granted), holder.eq(chosen)]
        m.d.sync += [address_taken.eq(address_done), data_taken.eq(data_done)]
        with m.If(address_done & data_done):
            m.d.sync += [held.eq(0), address_taken.eq(0), data_taken.eq(0)]

    def _route(self, m, channel):
        """Return a response to the manager that its identifier names."""
        identifier = self._port("m", f"{channel}id")
        for prefix, is_own in (("s0", ~identifier), ("s1", identifier)):
            m.d.comb += self._port(prefix, f"{channel}valid").eq(self._port("m", f"{channel}valid") & is_own)
            for name in _RESPONSE[channel]:
                m.d.comb += self._port(prefix, channel + name).eq(self._port("m", channel + name))
        ready = Mux(identifier, self._port("s1", f"{channel}ready"), self._port("s0", f"{channel}ready"))
        m.d.comb += self._port("m", f"{channel}ready").eq(ready)


_ADDRESS = ("addr", "len", "size", "burst", "cache", "prot")
_RESPONSE = {"b": ("resp",), "r": ("data", "resp", "last")}
