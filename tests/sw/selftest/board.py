"""A board in Python: the fake device with a clock and a link, and one thing wrong with it."""

import time

import numpy as np
from sw.fake import NAMES, FakeTransport
from systolith import ArrayConfig, BusError, DeviceError
from systolith.driver import RingDevice
from systolith.transport import LinkStatistics
from systolith_hw import REGISTERS, Descriptor
from systolith_hw.registers import Interrupt

CONFIG = ArrayConfig(rows=4, columns=8)
CLOCK_HZ = 25_000_000
MEMORY_BYTES = 1 << 15


class Board(FakeTransport):
    """Nothing is wrong with this one."""

    def __init__(self, *, config=CONFIG, memory_bytes=MEMORY_BYTES, visible=False):
        super().__init__(config, memory_bytes=memory_bytes, visible=visible)
        self.clock_hz = CLOCK_HZ
        self.real_hz = CLOCK_HZ
        self.line_bytes_per_second = 100_000
        self.requests = self.retries = 0

    @property
    def link_statistics(self):
        return LinkStatistics(requests=self.requests, retries=self.retries, dropped=0)

    def read_register(self, offset):
        if NAMES[offset] == "cycles":
            self.registers["cycles"] = round(time.perf_counter() * self.real_hz) % (1 << 32)
        return super().read_register(offset)

    def write_register(self, offset, value):
        if REGISTERS[NAMES[offset]].access == "ro":
            raise BusError("write", offset)
        super().write_register(offset, value)

    def read(self, address, nbytes):
        self.requests += 1
        return super().read(address, nbytes)


class SlowLine(Board):
    """The count of cycles takes milliseconds; ``waits`` are those of its first readings, in seconds."""

    waits = iter(())

    def read_register(self, offset):
        if NAMES[offset] == "cycles":
            time.sleep(next(self.waits, 0.002))
            value = super().read_register(offset)
            time.sleep(0.002)
            return value
        return super().read_register(offset)


class Magic(Board):
    """A bit of an identity register is sometimes read wrong."""

    reads = 0

    def read_register(self, offset):
        self.reads += NAMES[offset] == "buffers"
        wrong = NAMES[offset] == "buffers" and self.reads == 7
        return super().read_register(offset) ^ (wrong << 4)


class WritableIdentity(Board):
    def write_register(self, offset, value):
        if NAMES[offset] == "epilogue":
            self.registers["epilogue"] = value
        else:
            super().write_register(offset, value)


class StuckInterrupt(Board):
    def write_register(self, offset, value):
        super().write_register(offset, value | Interrupt.FAULT * (NAMES[offset] == "irq_enable"))


class StoppedClock(Board):
    def __init__(self):
        super().__init__()
        self.real_hz = 0


class DoubledClock(Board):
    def __init__(self):
        super().__init__()
        self.real_hz = 2 * CLOCK_HZ


class DampCable(Board):
    def read(self, address, nbytes):
        self.retries += self.requests % 20 == 0
        return super().read(address, nbytes)


class TornCable(Board):
    """Nearly everything has to be sent twice."""

    def read(self, address, nbytes):
        self.retries += 1
        return super().read(address, nbytes)


class HostLines(Board):
    """Something is wrong with the host's lines to memory; the accelerator has its own."""

    running = False

    def _run_one(self):
        self.running = True
        ended = super()._run_one()
        self.running = False
        return ended


class DataLine(HostLines):
    """Bit 13 of every word is 1."""

    def read(self, address, nbytes):
        data = super().read(address, nbytes)
        if not self.running:
            data[(1 - address) % 4 :: 4] |= 1 << 5
        return data


class AddressLine(HostLines):
    """Bit 14 of the addresses makes no difference."""

    def _cell(self, address):
        return address if self.running else address & ~(1 << 14)

    def read(self, address, nbytes):
        return np.concatenate(
            [super(AddressLine, self).read(self._cell(address + i), 1) for i in range(nbytes)]
        )

    def write(self, address, data):
        for i, byte in enumerate(data):
            super().write(self._cell(address + i), np.array([byte], np.uint8))


class ByteStrobes(Board):
    """What is written to a byte is written to its neighbour, too."""

    def write(self, address, data):
        super().write(address, data)
        if data.size == 1:
            self.store[address ^ 1] = data[0]


class StuckCell(Board):
    """One bit of one byte is 0."""

    cell = 0x2345

    def write(self, address, data):
        super().write(address, data)
        self.store[self.cell] &= ~(1 << 6) & 0xFF


class CoupledCells(Board):
    """A bit that rises pulls up one in a cell below it."""

    def write(self, address, data):
        before = self.store[0x1A00] & 1
        super().write(address, data)
        if self.store[0x1A00] & 1 and not before:
            self.store[0x1900] |= 1


class DeviceAddressLine(Board):
    """Bit 13 of the addresses of A makes no difference to the accelerator."""

    def _compute(self, d):
        source = d.a_address & ~(1 << 13)
        kept = self.store[d.a_address : d.a_address + d.a_stride * d.m].copy()
        self.store[d.a_address :][: kept.size] = self.store[source:][: kept.size]
        super()._compute(d)
        if d.a_address != d.d_address:
            self.store[d.a_address :][: kept.size] = kept


class WrongElement(Board):
    """The PE in row 2, column 5 loses the lowest bit of its product."""

    def _compute(self, d):
        super()._compute(d)
        if d.m > 2 and d.k == CONFIG.rows and d.n == CONFIG.columns:
            self.store[d.d_address + 2 * d.d_stride + 4 * 5] &= 0xFE


class WrongBeyondTile(Board):
    """The second tile of N is shifted out by a bit."""

    def _compute(self, d):
        super()._compute(d)
        if d.n > CONFIG.columns and d.m == 1 and d.k == 1:
            self.store[d.d_address + 4 * CONFIG.columns] += 1


class WrongInQueue(Board):
    """What is not the first of a queue gets a wrong bit."""

    def _compute(self, d):
        super()._compute(d)
        if self.registers["ring_head"] % 16 == 9 and d.k > 2:
            waiting = (self.registers["ring_tail"] - self.registers["ring_head"]) & 0xFFFF
            self.store[d.d_address] ^= waiting > 1


class Hanging(Board):
    """Products of which K is beyond a tile are never done."""

    def _run_one(self):
        slot = (
            self.registers["ring_base"]
            + self.registers["ring_head"] % (1 << self.registers["ring_size"]) * 128
        )
        if Descriptor.unpack(self.read(slot, 64).tobytes()).k == CONFIG.rows + 1:
            return False
        return super()._run_one()


class Unplugged(Board):
    """From some read of memory on, nothing answers."""

    def _answer(self):
        if self.requests > 100:
            raise DeviceError("the port does not answer; is the cable plugged in?")

    def read(self, address, nbytes):
        self._answer()
        return super().read(address, nbytes)

    def write(self, address, data):
        self._answer()
        super().write(address, data)

    def reset(self):
        if hasattr(self, "requests"):
            self._answer()
        super().reset()


def open_board(kind=Board, **options):
    """A device over a board of some kind."""
    transport = kind(**options)
    return RingDevice("board", transport.config, transport, ring_slots=16)
