"""The ports of a device: all that the harness knows of the design behind them."""

__all__ = ["device_ports", "ports_header", "recorded_ports"]

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


def recorded_ports(data_bits):
    """The ports that are recorded in every cycle: all outputs, then all inputs but the clock.

    Parameters
    ----------
    data_bits : int

    Returns
    -------
    dict of str to (str, int)
        Port name to direction and 32-bit words, in the order in which they are recorded.
    """
    ports = {
        name: (direction, -(-width // 32))
        for name, (direction, width) in device_ports(data_bits).items()
        if name != "clk"
    }
    return dict(sorted(ports.items(), key=lambda port: port[1][0] == "input"))


def ports_header(data_bits):
    """The C++ header by which the harness copies the recorded ports.

    Parameters
    ----------
    data_bits : int
    """
    copies, outputs, offset = [], 0, 0
    for name, (direction, words) in recorded_ports(data_bits).items():
        copies.append(f"  std::memcpy(to + {offset}, &top.{name}, sizeof top.{name});")
        offset += words
        outputs += words if direction == "output" else 0
    return "\n".join(
        [
            "#pragma once",
            "#include <cstring>",
            "namespace systolith {",
            f"constexpr unsigned PORT_WORDS = {offset}, OUTPUT_WORDS = {outputs};",
            "template <typename Top> void copy_ports(const Top& top, uint32_t* to) {",
            *copies,
            "}",
            "}  // namespace systolith",
            "",
        ]
    )
