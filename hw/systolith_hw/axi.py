"""AXI4 and AXI4-Lite port lists with the standard signal names."""

import enum

from amaranth.lib.wiring import In, Out

__all__ = ["BOUNDARY_BYTES", "Response", "axi4_manager_ports", "axi_lite_subordinate_ports"]

BOUNDARY_BYTES = 4096
"""No burst may cross a multiple of this address."""

BURST_INCR = 0b01
"""``AxBURST`` of incrementing bursts, the only kind used."""

CACHE_MODIFIABLE_BUFFERABLE = 0b0011
"""``AxCACHE`` of normal, non-cacheable, bufferable memory."""


class Response(enum.IntEnum):
    """``BRESP`` and ``RRESP``."""

    OKAY = 0
    EXOKAY = 1
    SLVERR = 2
    DECERR = 3


def axi4_manager_ports(*, prefix, data_bits, address_bits):
    """Members of an AXI4 manager (master) with one-bit identifiers, for a component's signature.

    Returns
    -------
    dict of str to wiring.Member
        Flat members named ``{prefix}awaddr`` and so on.
    """
    address_channel = {
        "id": Out(1),
        "addr": Out(address_bits),
        "len": Out(8),
        "size": Out(3),
        "burst": Out(2),
        "cache": Out(4),
        "prot": Out(3),
        "valid": Out(1),
        "ready": In(1),
    }
    ports = {f"aw{name}": member for name, member in address_channel.items()}
    ports |= {
        "wdata": Out(data_bits),
        "wstrb": Out(data_bits // 8),
        "wlast": Out(1),
        "wvalid": Out(1),
        "wready": In(1),
        "bid": In(1),
        "bresp": In(2),
        "bvalid": In(1),
        "bready": Out(1),
    }
    ports |= {f"ar{name}": member for name, member in address_channel.items()}
    ports |= {
        "rid": In(1),
        "rdata": In(data_bits),
        "rresp": In(2),
        "rlast": In(1),
        "rvalid": In(1),
        "rready": Out(1),
    }
    return {prefix + name: member for name, member in ports.items()}


def axi_lite_subordinate_ports(*, prefix, address_bits):
    """Members of a 32-bit AXI4-Lite subordinate (slave), for a component's signature.

    Returns
    -------
    dict of str to wiring.Member
        Flat members named ``{prefix}awaddr`` and so on.
    """
    ports = {
        "awaddr": In(address_bits),
        "awprot": In(3),
        "awvalid": In(1),
        "awready": Out(1),
        "wdata": In(32),
        "wstrb": In(4),
        "wvalid": In(1),
        "wready": Out(1),
        "bresp": Out(2),
        "bvalid": Out(1),
        "bready": In(1),
        "araddr": In(address_bits),
        "arprot": In(3),
        "arvalid": In(1),
        "arready": Out(1),
        "rdata": Out(32),
        "rresp": Out(2),
        "rvalid": Out(1),
        "rready": In(1),
    }
    return {prefix + name: member for name, member in ports.items()}
