"""Registers on the board's buses, so that no path leads through several of its parts."""

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from systolith_hw.axi import axi4_manager_ports
from systolith_hw.stream_slice import StreamSlice

__all__ = ["AccessSlice", "BusSlice"]


class BusSlice(wiring.Component):
    """AXI4 with registers on what goes from the manager to the memory; the answers pass.

    Parameters
    ----------
    data_bits, address_bits : int

    Members
    -------
    s_axi_*
        From the manager.
    m_axi_*
        To the memory.

    Latency
    -------
    One cycle from the manager to the memory, none back. Back-pressure is honoured.
    """

    def __init__(self, *, data_bits, address_bits):
        self._manager = axi4_manager_ports(prefix="", data_bits=data_bits, address_bits=address_bits)
        super().__init__(
            {f"m_axi_{name}": member for name, member in self._manager.items()}
            | {f"s_axi_{name}": member.flip() for name, member in self._manager.items()}
        )

    def elaborate(self, platform):
        m = Module()
        for channel in ("ar", "aw", "w"):
            names = [
                name
                for name in self._manager
                if name.startswith(channel) and name not in (f"{channel}valid", f"{channel}ready")
            ]
            widths = {name: len(getattr(self, f"s_axi_{name}")) for name in names}
            m.submodules[channel] = part = StreamSlice(sum(widths.values()))
            start = 0
            for name, width in widths.items():
                place = slice(start, start + width)
                m.d.comb += [
                    part.i.payload[place].eq(getattr(self, f"s_axi_{name}")),
                    getattr(self, f"m_axi_{name}").eq(part.o.payload[place]),
                ]
                start += width
            m.d.comb += [
                part.i.valid.eq(getattr(self, f"s_axi_{channel}valid")),
                getattr(self, f"s_axi_{channel}ready").eq(part.i.ready),
                getattr(self, f"m_axi_{channel}valid").eq(part.o.valid),
                part.o.ready.eq(getattr(self, f"m_axi_{channel}ready")),
            ]
        for name, member in self._manager.items():
            if name[0] in "rb":
                manager, memory = getattr(self, f"s_axi_{name}"), getattr(self, f"m_axi_{name}")
                m.d.comb += memory.eq(manager) if member.flow is Out else manager.eq(memory)
        return m


class AccessSlice(wiring.Component):
    """Accesses of which beginning and end are registered.

    Parameters
    ----------
    access : Access
        What they are.

    Members
    -------
    i, o : Access

    Latency
    -------
    One cycle to the access and one back.
    """

    def __init__(self, access):
        super().__init__({"i": In(access), "o": Out(access)})

    def elaborate(self, platform):
        m = Module()
        asked = self.i
        m.d.comb += [
            self.o.write.eq(asked.write),
            self.o.address.eq(asked.address),
            self.o.data.eq(asked.data),
            self.o.strobe.eq(asked.strobe),
        ]
        ended = self.o.request & self.o.done
        m.d.sync += [
            self.o.request.eq(asked.request & ~asked.done & ~ended),
            asked.done.eq(ended),
            asked.read_data.eq(self.o.read_data),
            asked.response.eq(self.o.response),
        ]
        return m
