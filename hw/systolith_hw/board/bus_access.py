"""One access at a time over an AXI bus."""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from systolith_hw.axi import BURST_INCR, CACHE_MODIFIABLE_BUFFERABLE

__all__ = ["Access", "BusAccess"]


class Access(wiring.Signature):
    """A read or a write of one word, from whoever wants it to whoever does it.

    ``request`` and what it asks for stand unchanged until ``done``, in which cycle ``read_data`` and
    ``response`` hold the answer. Nothing is done that was not requested.

    Parameters
    ----------
    data_bits, address_bits : int
    """

    def __init__(self, *, data_bits, address_bits):
        super().__init__(
            {
                "request": Out(1),
                "write": Out(1),
                "address": Out(address_bits),
                "data": Out(data_bits),
                "strobe": Out(data_bits // 8),
                "done": In(1),
                "read_data": In(data_bits),
                "response": In(2),
            }
        )


class BusAccess(wiring.Component):
    """Makes accesses over AXI4-Lite, or over AXI4 as bursts of one beat.

    Parameters
    ----------
    ports : dict of str to wiring.Member
        A manager's, as from :mod:`systolith_hw.axi`.
    prefix : str
        Of their names.
    data_bits : int

    Members
    -------
    access : Access
    """

    def __init__(self, *, ports, prefix, data_bits):
        self._prefix = prefix
        self._data_bits = data_bits
        access = Access(data_bits=data_bits, address_bits=ports[f"{prefix}araddr"].shape)
        super().__init__({"access": In(access), **ports})

    def elaborate(self, platform):
        m = Module()
        access = self.access
        address_taken = Signal()
        data_taken = Signal()

        def port(name):
            return getattr(self, self._prefix + name)

        def is_present(name):
            return self._prefix + name in self.signature.members

        for channel, wanted in (("aw", access.write), ("ar", ~access.write)):
            m.d.comb += [
                port(f"{channel}valid").eq(access.request & wanted & ~address_taken),
                port(f"{channel}addr").eq(access.address),
            ]
            if is_present(f"{channel}burst"):
                m.d.comb += [
                    port(f"{channel}burst").eq(BURST_INCR),
                    port(f"{channel}size").eq(exact_log2(self._data_bits // 8)),
                    port(f"{channel}cache").eq(CACHE_MODIFIABLE_BUFFERABLE),
                ]
            with m.If(port(f"{channel}valid") & port(f"{channel}ready")):
                m.d.sync += address_taken.eq(1)
        if is_present("wlast"):
            m.d.comb += port("wlast").eq(1)
        m.d.comb += [
            port("wvalid").eq(access.request & access.write & ~data_taken),
            port("wdata").eq(access.data),
            port("wstrb").eq(access.strobe),
            port("bready").eq(access.write),
            port("rready").eq(~access.write),
            access.done.eq(port("bvalid") | port("rvalid")),
            access.read_data.eq(port("rdata")),
        ]
        with m.If(access.write):
            m.d.comb += access.response.eq(port("bresp"))
        with m.Else():
            m.d.comb += access.response.eq(port("rresp"))
        with m.If(port("wvalid") & port("wready")):
            m.d.sync += data_taken.eq(1)
        with m.If(access.done):
            m.d.sync += [address_taken.eq(0), data_taken.eq(0)]
        return m
