"""A serial line: eight data bits, no parity, one stop bit."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out

from systolith_hw.baud import BITS_PER_BYTE, FRACTION_BITS

__all__ = ["BitTimer", "UartReceiver", "UartTransmitter"]


class BitTimer(wiring.Component):
    """Counts out bits of a fractional period: each is a whole number of cycles, and they do not drift.

    Parameters
    ----------
    period : int
        In units of 1/256 cycle, as from :func:`~systolith_hw.baud.bit_period`.
    first : int
        Of the first bit, likewise.

    Members
    -------
    restart : 1
        The next cycle is the first of the first bit.
    tick : 1
        This cycle is a bit's last.
    """

    def __init__(self, *, period, first):
        self._period = period
        self._first = first
        super().__init__({"restart": In(1), "tick": Out(1)})

    def elaborate(self, platform):
        m = Module()
        mask = (1 << FRACTION_BITS) - 1
        whole, part = self._period >> FRACTION_BITS, self._period & mask
        cycles = Signal(range(max(whole, self._first >> FRACTION_BITS) + 1))
        fraction = Signal(FRACTION_BITS)
        carry = Signal()
        total = Signal(FRACTION_BITS + 1)
        m.d.comb += [
            total.eq(fraction + part),
            carry.eq(total[-1]),
            self.tick.eq(cycles == 0),
        ]
        m.d.sync += cycles.eq(cycles - 1)
        with m.If(self.tick):
            m.d.sync += [cycles.eq(whole - 1 + carry), fraction.eq(total)]
        with m.If(self.restart):
            m.d.sync += [
                cycles.eq((self._first >> FRACTION_BITS) - 1),
                fraction.eq(self._first & mask),
            ]
        return m


class UartTransmitter(wiring.Component):
    """Sends bytes, lowest bit first, back to back if they are there in time.

    Parameters
    ----------
    period : int
        As from :func:`~systolith_hw.baud.bit_period`.

    Members
    -------
    bytes : stream of 8
        Back-pressure is honoured: a byte every ten bits.
    tx : 1

    Latency
    -------
    One cycle from a byte accepted to its start bit.
    """

    LATENCY = 1

    def __init__(self, *, period):
        self._period = period
        super().__init__({"bytes": In(stream.Signature(8)), "tx": Out(1, init=1)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.timer = timer = BitTimer(period=self._period, first=self._period)
        shift = Signal(BITS_PER_BYTE, init=-1)
        left = Signal(range(BITS_PER_BYTE + 1))
        m.d.comb += [
            self.tx.eq(shift[0]),
            self.bytes.ready.eq((left == 0) | ((left == 1) & timer.tick)),
            timer.restart.eq((left == 0) & self.bytes.valid),
        ]
        with m.If((left != 0) & timer.tick):
            m.d.sync += [shift.eq(Cat(shift[1:], 1)), left.eq(left - 1)]
        with m.If(self.bytes.valid & self.bytes.ready):
            m.d.sync += [shift.eq(Cat(0, self.bytes.payload, 1)), left.eq(BITS_PER_BYTE)]
        return m


class UartReceiver(wiring.Component):
    """Receives bytes: every bit is the majority of three samples round its centre.

    A start bit that is high at its centre is a spike and ignored. A byte whose stop bit is low is dropped,
    and nothing is received until the line is high again.

    Parameters
    ----------
    period : int
        As from :func:`~systolith_hw.baud.bit_period`.

    Members
    -------
    rx : 1
        May change at any time.
    bytes : stream of 8
        Back-pressure is not honoured: a byte is there for one cycle.
    error : 1
        A byte was dropped.

    Latency
    -------
    From the centre of the stop bit: four cycles, two of which the synchronizer takes.
    """

    def __init__(self, *, period):
        self._period = period
        super().__init__({"rx": In(1, init=1), "bytes": Out(stream.Signature(8)), "error": Out(1)})

    def elaborate(self, platform):
        m = Module()
        rx = Signal(init=1)
        m.submodules.synchronizer = FFSynchronizer(self.rx, rx, init=1)
        # Half a bit to the centre; the majority's is one sample old.
        first = self._period // 2 + (1 << FRACTION_BITS - 1)
        m.submodules.timer = timer = BitTimer(period=self._period, first=first)
        before = Signal(2, init=-1)
        majority = Signal()
        shift = Signal(8)
        index = Signal(range(BITS_PER_BYTE))
        m.d.sync += [before.eq(Cat(rx, before[0])), self.bytes.valid.eq(0), self.error.eq(0)]
        m.d.comb += [
            majority.eq((rx & before[0]) | (rx & before[1]) | (before[0] & before[1])),
            self.bytes.payload.eq(shift),
        ]
        with m.FSM():
            with m.State("IDLE"):
                m.d.sync += index.eq(0)
                with m.If(~rx):
                    m.d.comb += timer.restart.eq(1)
                    m.next = "BITS"
            with m.State("BITS"), m.If(timer.tick):
                m.d.sync += index.eq(index + 1)
                with m.If(index == 0):
                    with m.If(majority):
                        m.next = "IDLE"
                with m.Elif(index < BITS_PER_BYTE - 1):
                    m.d.sync += shift.eq(Cat(shift[1:], majority))
                with m.Elif(majority):
                    m.d.sync += self.bytes.valid.eq(1)
                    m.next = "IDLE"
                with m.Else():
                    m.d.sync += self.error.eq(1)
                    m.next = "BREAK"
            with m.State("BREAK"), m.If(rx):
                m.next = "IDLE"
        return m
