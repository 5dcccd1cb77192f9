"""The ports of a device: all that the harness knows of the design behind them."""

__all__ = ["device_ports"]

_CHANNELS = {
    "aw": (("id", 1), ("addr", 32), ("len", 8), ("size", 3), ("burst", 2), ("cache", 4), ("prot", 3)),
    "w": (("data", None), ("strb", None), ("last", 1)),
    "b": (("id", 1), ("resp", 2)),
    "ar": (("id", 1), ("addr", 32), ("len", 8), ("size", 3), ("burst", 2), ("cache", 4), ("prot", 3)),
    "r": (("id", 1), ("data", None), ("resp", 2), ("last", 1)),
}
_LITE_CHANNELS = {
    "aw": (("addr", 8), ("prot", 3)),
    "w": (("data", 32), ("strb", 4)),
    "b": (("resp", 2),),
    "ar": (("addr", 8), ("prot", 3)),
    "r": (("data", 32), ("resp", 2)),
}
_FROM_MASTER = ("aw", "w", "ar")


def device_ports(data_bits):
    """The ports of a device with a memory bus of ``data_bits``.

    Parameters
    ----------
    data_bits : int
        Width of the AXI4 data channels.

    Returns
    -------
    dict of str to (str, int)
        Port name to direction, ``"input"`` or ``"output"`` as the device sees it, and width in bits.
    """
    data_widths = {"data": data_bits, "strb": data_bits // 8}
    ports = {"clk": ("input", 1), "rst": ("input", 1)}
    for prefix, channels, master in (("s_axil_", _LITE_CHANNELS, False), ("m_axi_", _CHANNELS, True)):
        for channel, fields in channels.items():
            driven = (channel in _FROM_MASTER) == master
            forward, backward = ("output", "input") if driven else ("input", "output")
            for field, width in fields:
                ports[f"{prefix}{channel}{field}"] = (forward, width or data_widths[field])
            ports[f"{prefix}{channel}valid"] = (forward, 1)
            ports[f"{prefix}{channel}ready"] = (backward, 1)
    ports["irq"] = ("output", 1)
    return ports
