"""Gowin: a MULT9X9 in every processing element, and rPLL."""

import dataclasses
import functools

from amaranth.hdl import C, Cat, ClockSignal, Instance, Signal, signed

from systolith_hw.accelerator import Lowering
from systolith_hw.array import SystolicArray
from systolith_hw.pe import ProcessingElement

from .interface import Pll, Vendor, choose

__all__ = ["GW1N9C", "GW2A18C", "GowinArray", "GowinElement", "GowinPll", "gowin_pll"]

MULTIPLIER_BITS = 9
PFD_HZ = (3e6, 400e6)
OUTPUT_DIVIDERS = (2, 4, 8, 16, 32, 48, 64, 80, 96, 112, 128)
DIVIDER_MAX = 64


class GowinElement(ProcessingElement):
    """A processing element whose multiplier, with the registers of activation and product, is one MULT9X9.

    All registers of the cell have one clock enable, so the weight in use is kept beside it.
    """

    def _multiply(self, m, next_weight):
        width = len(self.weight)
        extension = MULTIPLIER_BITS - width
        product = Signal(signed(2 * width))
        raw = Signal(2 * MULTIPLIER_BITS)
        weight = Signal.like(self.weight, name="active_weight", reset_less=True)
        with m.If(self.swap_in):
            m.d.sync += weight.eq(next_weight)
        m.submodules.multiplier = Instance(
            "MULT9X9",
            p_AREG=C(1),
            p_BREG=C(0),
            p_OUT_REG=C(1),
            p_PIPE_REG=C(0),
            p_ASIGN_REG=C(0),
            p_BSIGN_REG=C(0),
            p_SOA_REG=C(0),
            p_MULT_RESET_MODE="SYNC",
            i_CLK=ClockSignal(),
            i_CE=C(1),
            i_RESET=C(0),
            i_A=Cat(self.a_in, self.a_in[-1].replicate(extension)),
            i_B=Cat(weight, weight[-1].replicate(extension)),
            i_SIA=C(0, MULTIPLIER_BITS),
            i_SIB=C(0, MULTIPLIER_BITS),
            i_ASIGN=C(1),
            i_BSIGN=C(1),
            i_ASEL=C(0),
            i_BSEL=C(0),
            o_DOUT=raw,
        )
        m.d.comb += product.eq(raw)
        return product


class GowinArray(SystolicArray):
    """The array with a MULT9X9 in every element."""

    element = GowinElement


@dataclasses.dataclass(frozen=True, kw_only=True)
class GowinPll(Pll):
    """An rPLL with internal feedback."""

    device: str
    input_hz: float
    input_divider: int
    feedback_divider: int
    output_divider: int

    @property
    def output_hz(self):
        return self.input_hz * self.feedback_divider / self.input_divider

    @property
    def vco_hz(self):
        """The oscillator's own frequency."""
        return self.output_hz * self.output_divider

    def instances(self, *, clock_in, clock_out, locked):
        return [
            Instance(
                "rPLL",
                p_FCLKIN=f"{self.input_hz / 1e6:g}",
                p_DEVICE=self.device,
                p_DYN_IDIV_SEL="false",
                p_IDIV_SEL=self.input_divider - 1,
                p_DYN_FBDIV_SEL="false",
                p_FBDIV_SEL=self.feedback_divider - 1,
                p_DYN_ODIV_SEL="false",
                p_ODIV_SEL=self.output_divider,
                p_PSDA_SEL="0000",
                p_DYN_DA_EN="false",
                p_DUTYDA_SEL="1000",
                p_CLKFB_SEL="internal",
                p_CLKOUT_BYPASS="false",
                p_CLKOUTP_BYPASS="false",
                p_CLKOUTD_BYPASS="false",
                p_DYN_SDIV_SEL=2,
                p_CLKOUTD_SRC="CLKOUT",
                p_CLKOUTD3_SRC="CLKOUT",
                i_CLKIN=clock_in,
                i_CLKFB=C(0),
                i_RESET=C(0),
                i_RESET_P=C(0),
                i_FBDSEL=C(0, 6),
                i_IDSEL=C(0, 6),
                i_ODSEL=C(0, 6),
                i_DUTYDA=C(0, 4),
                i_PSDA=C(0, 4),
                i_FDLY=C(0, 4),
                o_CLKOUT=clock_out,
                o_LOCK=locked,
            )
        ]


def gowin_pll(input_hz, output_hz, *, device, vco_hz):
    """Settings of an rPLL, its oscillator as near the middle of its range as may be.

    Parameters
    ----------
    input_hz, output_hz : float
    device : str
        As the cell names it.
    vco_hz : pair of float
        The oscillator's range.

    Raises
    ------
    ClockError
        If there are none.
    """
    candidates = [
        GowinPll(
            device=device,
            input_hz=input_hz,
            input_divider=input_divider,
            feedback_divider=feedback_divider,
            output_divider=output_divider,
        )
        for input_divider in range(1, DIVIDER_MAX + 1)
        if PFD_HZ[0] <= input_hz / input_divider <= PFD_HZ[1]
        for feedback_divider in range(1, DIVIDER_MAX + 1)
        for output_divider in OUTPUT_DIVIDERS
        if vco_hz[0] <= input_hz * feedback_divider / input_divider * output_divider <= vco_hz[1]
    ]
    middle = sum(vco_hz) / 2
    return choose(sorted(candidates, key=lambda pll: abs(pll.vco_hz - middle)), output_hz)


def _vendor(name, device, vco_hz):
    return Vendor(
        name=name,
        lowering=Lowering(array=GowinArray),
        multipliers_per_product=2,
        cells_per_lut=1.2,
        pll=functools.partial(gowin_pll, device=device, vco_hz=vco_hz),
    )


GW1N9C = _vendor("gw1n-9c", "GW1NR-9C", (400e6, 1200e6))
"""LittleBee GW1N(R)-9C, speed grade C6/I5."""

GW2A18C = _vendor("gw2a-18c", "GW2AR-18C", (500e6, 1250e6))
"""Arora GW2A(R)-18C, speed grade C8/I7."""
