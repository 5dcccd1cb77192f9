"""Memory and host in Python, cycle for cycle as the C++ harness plays them.

For simulations that are driven signal by signal. In every cycle ``drive`` sets the inputs that change, and
``sample`` takes the handshakes when the outputs have settled. ``write`` is called with the name and the value
of an input, ``read`` with the name of an output.
"""

import collections
import itertools

__all__ = ["OUTPUTS", "Host", "Memory"]

OUTPUTS = (
    *("m_axi_arvalid", "m_axi_araddr", "m_axi_arlen", "m_axi_rready"),
    *("m_axi_awvalid", "m_axi_awaddr", "m_axi_awlen"),
    *("m_axi_wvalid", "m_axi_wdata", "m_axi_wstrb", "m_axi_bready"),
    *("s_axil_awready", "s_axil_wready", "s_axil_bvalid", "irq"),
)
"""All that ``read`` is called with, and the interrupt line."""


class Memory:
    """The memory's side of an AXI4 bus, which takes an address and a beat in every cycle.

    Parameters
    ----------
    contents : (memory_bytes,) uint8
        Written to.
    bus_bytes : int
    latency_cycles : int
        From an address to its first beat, and from a burst's last beat to its response.
    """

    def __init__(self, contents, *, bus_bytes, latency_cycles):
        self._contents = contents
        self._bus_bytes = bus_bytes
        self._latency = latency_cycles
        self._reads = collections.deque()  # beats: cycle, address, whether it is the burst's last
        self._bursts = collections.deque()  # being written: address, beats wanted, beats
        self._beats = collections.deque()  # without a burst so far: data, strobes
        self._answers = collections.deque()  # cycle, address, beats
        self._read_shown = self._answer_shown = self._read_held = self._answer_held = False

    def reset(self, write):
        """Set all inputs."""
        for name in ("rid", "rresp", "rdata", "rlast", "rvalid", "bid", "bresp", "bvalid"):
            write(f"m_axi_{name}", 0)
        for channel in ("ar", "aw", "w"):
            write(f"m_axi_{channel}ready", 1)

    def drive(self, cycle, write):
        """Show the beat and the response that are due."""
        if not self._read_held:
            due = bool(self._reads) and self._reads[0][0] <= cycle
            if due:
                _, address, last = self._reads.popleft()
                data = self._contents[address : address + self._bus_bytes].tobytes()
                write("m_axi_rdata", int.from_bytes(data, "little"))
                write("m_axi_rlast", last)
            if due != self._read_shown:
                write("m_axi_rvalid", due)
            self._read_shown = due
        if not self._answer_held:
            due = bool(self._answers) and self._answers[0][0] <= cycle
            if due:
                self._store(*self._answers.popleft()[1:])
            if due != self._answer_shown:
                write("m_axi_bvalid", due)
            self._answer_shown = due

    def sample(self, cycle, read):
        """Take the handshakes of this cycle."""
        if read("m_axi_arvalid"):
            ready, address = cycle + self._latency, read("m_axi_araddr")
            for left in reversed(range(read("m_axi_arlen") + 1)):
                self._reads.append((ready, address, left == 0))
                address += self._bus_bytes
        if read("m_axi_awvalid"):
            self._bursts.append((read("m_axi_awaddr"), read("m_axi_awlen") + 1, []))
        if read("m_axi_wvalid"):
            self._beats.append((read("m_axi_wdata"), read("m_axi_wstrb")))
        # Data may come before their address.
        while self._bursts and self._beats:
            address, wanted, beats = self._bursts[0]
            beats.append(self._beats.popleft())
            if len(beats) == wanted:
                self._answers.append((cycle + self._latency, address, beats))
                self._bursts.popleft()
        self._read_held = self._read_shown and not read("m_axi_rready")
        self._answer_held = self._answer_shown and not read("m_axi_bready")

    def _store(self, address, beats):
        every = (1 << self._bus_bytes) - 1
        for data, strobes in beats:
            new = data.to_bytes(self._bus_bytes, "little")
            for byte in range(self._bus_bytes) if strobes != every else ():
                if not strobes >> byte & 1:
                    old = self._contents[address + byte]
                    new = new[:byte] + bytes([old]) + new[byte + 1 :]
            self._contents[address : address + self._bus_bytes] = memoryview(new)
            address += self._bus_bytes


class Host:
    """Writes registers over AXI4-Lite, one after the other.

    Parameters
    ----------
    writes : iterable of (int, int)
        Offsets and values.
    """

    def __init__(self, writes):
        self._writes = iter(writes)
        self._busy = False
        self._address_taken = self._data_taken = False

    def reset(self, write):
        """Set all inputs."""
        for name in ("awaddr", "awprot", "awvalid", "wdata", "wvalid", "bready"):
            write(f"s_axil_{name}", 0)
        for name in ("araddr", "arprot", "arvalid", "rready"):
            write(f"s_axil_{name}", 0)
        write("s_axil_wstrb", 15)

    def drive(self, write):
        """Withdraw what has been accepted, and begin the next transaction after the last one's end."""
        if self._busy:
            if self._address_taken:
                write("s_axil_awvalid", 0)
            if self._data_taken:
                write("s_axil_wvalid", 0)
            return
        for offset, value in itertools.islice(self._writes, 1):
            write("s_axil_awaddr", offset)
            write("s_axil_wdata", value)
            for name in ("awvalid", "wvalid", "bready"):
                write(f"s_axil_{name}", 1)
            self._busy = True
            self._address_taken = self._data_taken = False

    def sample(self, read):
        """Take the handshakes of this cycle."""
        if not self._busy:
            return
        self._address_taken = self._address_taken or bool(read("s_axil_awready"))
        self._data_taken = self._data_taken or bool(read("s_axil_wready"))
        self._busy = not read("s_axil_bvalid")
