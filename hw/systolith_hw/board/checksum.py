"""The check of every frame."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.crc import catalog
from amaranth.lib.wiring import In, Out

__all__ = ["FRAME_CRC", "FrameCheck"]

FRAME_CRC = catalog.CRC32_ISO_HDLC
"""The link's CRC."""


class FrameCheck(wiring.Component):
    """The link's CRC, a bit a cycle.

    Members
    -------
    start : 1
        Forget all that was taken in.
    step : 1
        Take in ``bit``, or with ``turn`` move on by a bit of the check.
    turn : 1
    bit : 1
        Every byte's lowest bit first.
    check : 8
        Of the check of what was taken in, the byte that it has been turned to, lowest first. After as many
        turns as it has bits it stands as before, and more may be taken in.
    """

    def __init__(self):
        super().__init__({"start": In(1), "step": In(1), "turn": In(1), "bit": In(1), "check": Out(8)})

    def elaborate(self, platform):
        m = Module()
        width = FRAME_CRC.crc_width
        reflected = int(f"{FRAME_CRC.polynomial:0{width}b}"[::-1], 2)
        assert FRAME_CRC.initial_crc == FRAME_CRC.xor_output == (1 << width) - 1
        crc = Signal(width, init=-1)
        divides = Signal()
        m.d.comb += [
            divides.eq(~self.turn & (self.bit ^ crc[0])),
            self.check.eq(~crc[:8]),
        ]
        with m.If(self.step):
            m.d.sync += crc.eq(Cat(crc[1:], self.turn & crc[0]) ^ Mux(divides, reflected, 0))
        with m.If(self.start):
            m.d.sync += crc.eq(crc.init)
        return m
