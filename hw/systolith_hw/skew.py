"""Delay lines that turn an aligned row into a wavefront."""

from amaranth.hdl import Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Skew"]


class Skew(wiring.Component):
    """Delays lane ``i`` of a row by ``i`` cycles.

    Parameters
    ----------
    shape : Shape
        Of one lane.
    lanes : int

    Members
    -------
    i, o : ArrayLayout(shape, lanes)
        Aligned row and wavefront.

    Latency
    -------
    ``i`` cycles for lane ``i``. No back-pressure.
    """

    def __init__(self, shape, *, lanes):
        self._shape = shape
        self._lanes = lanes
        layout = data.ArrayLayout(shape, lanes)
        super().__init__({"i": In(layout), "o": Out(layout)})

    def elaborate(self, platform):
        m = Module()
        for lane in range(self._lanes):
            value = self.i[lane]
            for stage in range(lane):
                register = Signal(self._shape, name=f"lane_{lane}_{stage + 1}", reset_less=True)
                m.d.sync += register.eq(value)
                value = register
            m.d.comb += self.o[lane].eq(value)
        return m
