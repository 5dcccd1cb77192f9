"""The board's own registers."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from systolith_hw.axi import Response
from systolith_hw.link import (
    BOARD_REGISTERS,
    DROPPED_BITS,
    LINK_MAGIC,
    LINK_VERSION,
    BoardControl,
    BoardState,
)
from systolith_hw.registers import ADDRESS_SPACE_BITS

from .bus_access import Access

__all__ = ["BoardRegisters"]


class BoardRegisters(wiring.Component):
    """What a host must know of a board, and the accelerator's reset.

    An access to an address without register, and a write to a read-only register, answers SLVERR.

    Parameters
    ----------
    memory_bytes, clock_hz, baud, queue_bytes : int
    reset_cycles : int
        That a reset lasts, and no more than twice as many: as long as anything may be on its way through a
        part that has no reset. A power of two.

    Members
    -------
    access : Access
        Of registers that never change nothing is read here.
    part : range(4)
    fact : 8
        Byte ``part`` of the register at ``access.address`` if it never changes, or else zero.
    interrupt : 1
    bus_error : 1
        An access of the accelerator was answered with an error.
    dropped : 1
        A request was dropped.
    reset : 1
        Holds the accelerator in reset.
    fault : 1
        There was a ``bus_error`` since the last reset.
    cycles : range(reset_cycles)
        Goes up by one in each.

    Latency
    -------
    An access is done a cycle after its request, a write that resets a cycle after the reset.
    """

    def __init__(self, *, memory_bytes, clock_hz, baud, queue_bytes, reset_cycles):
        self._facts = {
            "id": LINK_MAGIC,
            "version": LINK_VERSION,
            "memory_bytes": memory_bytes,
            "clock_hz": clock_hz,
            "baud": baud,
            "queue_bytes": queue_bytes,
        }
        super().__init__(
            {
                "access": In(Access(data_bits=32, address_bits=ADDRESS_SPACE_BITS)),
                "part": In(range(4)),
                "fact": Out(8),
                "interrupt": In(1),
                "bus_error": In(1),
                "dropped": In(1),
                "reset": Out(1),
                "fault": Out(1),
                "cycles": In(range(reset_cycles)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        access = self.access
        dropped = Signal(DROPPED_BITS)
        # A reset is over at the second turn of the count.
        turns = Signal()
        has_turned = Signal()
        m.d.sync += dropped.eq(dropped + self.dropped)
        m.d.comb += turns.eq(self.cycles.all())
        with m.If(self.bus_error):
            m.d.sync += self.fault.eq(1)
        assert BoardState.INTERRUPT == 1 and BoardState.FAULT == 2

        varying = {
            "control": 0,
            "state": Cat(self.interrupt, self.fault),
            "dropped": dropped,
        }
        assert self._facts.keys() | varying.keys() == BOARD_REGISTERS.keys()
        word = access.address >> 2
        # Whether the access, were it not done, would be.
        ends = Signal()
        m.d.comb += [ends.eq(access.request), access.response.eq(Response.SLVERR)]
        m.d.sync += access.done.eq(ends & ~access.done)
        with m.If(~access.write):
            with m.Switch(word):
                for name in BOARD_REGISTERS:
                    with m.Case(BOARD_REGISTERS[name].offset >> 2):
                        m.d.comb += access.response.eq(Response.OKAY)
        with m.Elif(word == BOARD_REGISTERS["control"].offset >> 2):
            m.d.comb += access.response.eq(Response.OKAY)
            with m.If((access.data & BoardControl.RESET).any()):
                m.d.comb += [
                    self.reset.eq(access.request & ~access.done),
                    ends.eq(access.request & turns & has_turned),
                ]
        with m.If(self.reset):
            m.d.sync += [self.fault.eq(0), has_turned.eq(has_turned ^ turns)]
        for name, value in varying.items():
            with m.If(access.request & (word == BOARD_REGISTERS[name].offset >> 2)):
                m.d.comb += access.read_data.eq(value)
        with m.Switch(Cat(self.part, word)):
            for name, value in self._facts.items():
                for part, octet in enumerate(value.to_bytes(4, "little")):
                    with m.Case(BOARD_REGISTERS[name].offset | part):
                        m.d.comb += self.fact.eq(octet)
        return m
