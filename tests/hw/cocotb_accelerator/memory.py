"""Device memory behind cocotbext-axi's slave, with addresses that answer with an error."""

from cocotbext.axi import AxiBus, AxiResp, AxiSlave

PAGE_BYTES = 4096


class BusError(Exception):
    """Raised towards the slave, which then answers SLVERR."""


class Memory:
    """Memory, and a copy of what it should hold.

    Parameters
    ----------
    dut : the simulated top
    base, size : int
        In bytes.
    bus_bytes : int
    rng : random.Random
        Fills it, and chooses addresses.
    """

    def __init__(self, dut, *, base, size, bus_bytes, rng):
        self.base = base
        self.contents = bytearray(rng.randbytes(size))
        self.expected = bytearray(self.contents)
        self.faults = {}
        self.strays = []
        self._size = size
        self._bus_bytes = bus_bytes
        self._rng = rng
        self._next = 0
        self._readable = bytearray(size)
        self._writable = bytearray(size)
        self._response = AxiResp.OKAY
        self.slave = AxiSlave(AxiBus.from_prefix(dut, "m_axi"), dut.clk, dut.rst, target=self)
        self._answer("rresp", self.slave.read_if.r_channel)
        self._answer("bresp", self.slave.write_if.b_channel)

    @property
    def channels(self):
        """Those on which the memory can hold the accelerator up."""
        reads, writes = self.slave.read_if, self.slave.write_if
        return [reads.ar_channel, reads.r_channel, writes.aw_channel, writes.w_channel, writes.b_channel]

    def allocate(self, size, *, align=None):
        """Address of a new buffer, often across a 4 KiB boundary, with guard bytes on both sides."""
        align = align or self._bus_bytes
        start = self._next + self._bus_bytes * self._rng.randrange(1, 9)
        if self._rng.random() < 0.5:
            beats = min(8, size // self._bus_bytes)
            start += -start % PAGE_BYTES - self._bus_bytes * self._rng.randrange(beats + 1)
            start += PAGE_BYTES if start <= self._next else 0
        start += -start % align
        self._next = start + size
        assert self._next < self._size, "the test needs more memory"
        return self.base + start

    def store(self, address, data):
        """Write as the host."""
        start = address - self.base
        self.contents[start : start + len(data)] = data
        self.expected[start : start + len(data)] = data

    def load(self, address, length):
        """Read as the host."""
        return bytes(self.contents[address - self.base :][:length])

    def expect(self, address, data):
        """The device shall have written this."""
        start = address - self.base
        self.expected[start : start + len(data)] = data

    def allow_reads(self, address, length):
        """The device may read these bytes, and those that share a beat with them."""
        start = address - self.base
        length += -length % self._bus_bytes
        self._readable[start : start + length] = b"\1" * length

    def allow_writes(self, address, length):
        start = address - self.base
        self._writable[start : start + length] = b"\1" * length

    def finish(self):
        """Assert that memory holds what it should, guard bytes included, and nothing else was touched."""
        assert not self.strays, self.strays[:10]
        if self.contents != self.expected:
            different = [i for i in range(self._size) if self.contents[i] != self.expected[i]]
            places = ", ".join(f"{self.base + i:#x}" for i in different[:10])
            raise AssertionError(f"{len(different)} bytes are wrong, at {places}")

    async def read(self, address, length):
        """One beat, for the slave."""
        start = address - self.base
        if not all(self._readable[start : start + length]) or start < 0:
            self.strays.append(f"read of {length} bytes at {address:#x}")
        self._check("read", address, length)
        return self.contents[start : start + length]

    async def write(self, address, data):
        """Consecutive bytes of one beat, for the slave."""
        start = address - self.base
        if not all(self._writable[start : start + len(data)]) or start < 0:
            self.strays.append(f"write of {len(data)} bytes at {address:#x}")
        self._check("write", address, len(data))
        self.contents[start : start + len(data)] = data

    def _check(self, kind, address, length):
        for (faulty_kind, faulty), response in self.faults.items():
            if kind == faulty_kind and address <= faulty < address + length:
                self._response = response
                raise BusError

    def _answer(self, field, channel):
        """Give the error response that was asked for: the slave knows SLVERR only."""
        send = channel.send

        async def send_with_response(transaction):
            if getattr(transaction, field) != AxiResp.OKAY:
                setattr(transaction, field, self._response)
            await send(transaction)

        channel.send = send_with_response
