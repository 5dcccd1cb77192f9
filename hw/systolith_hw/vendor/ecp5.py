"""Lattice ECP5: a MULT18X18D in every processing element, and EHXPLLL."""

import dataclasses

from amaranth.hdl import C, Cat, ClockSignal, Instance, Signal, signed

from systolith_hw.accelerator import Lowering
from systolith_hw.array import SystolicArray
from systolith_hw.pe import ProcessingElement

from .interface import Pll, Vendor, choose

__all__ = ["ECP5", "Ecp5Array", "Ecp5Element", "Ecp5Pll", "ecp5_pll"]

PFD_HZ = (3.125e6, 400e6)
VCO_HZ = (400e6, 800e6)
VCO_BEST_HZ = 600e6
DIVIDER_MAX = 128
MULTIPLIER_BITS = 18
PHASE_STEPS = 8
"""Of one period of the oscillator."""


class Ecp5Element(ProcessingElement):
    """A processing element whose multiplier, with the registers round it, is one MULT18X18D.

    The cell's input registers hold the activation, beside the register that passes it on, and the weight in
    use; its output register holds the product.
    """

    def _multiply(self, m, a, next_weight):
        width = len(self.weight)
        product = Signal(signed(2 * width))
        raw = Signal(2 * MULTIPLIER_BITS)
        # Left-aligned: the lowest bits, which take longest to be carried up, are zero.
        shift = MULTIPLIER_BITS - width
        operands = {"A": Cat(C(0, shift), self.a_in), "B": Cat(C(0, shift), next_weight)}
        ports = {
            f"i_{name}{bit}": value[bit] for name, value in operands.items() for bit in range(MULTIPLIER_BITS)
        }
        m.submodules.multiplier = Instance(
            "MULT18X18D",
            p_REG_INPUTA_CLK="CLK0",
            p_REG_INPUTA_CE="CE0",
            p_REG_INPUTA_RST="RST0",
            p_REG_INPUTB_CLK="CLK0",
            p_REG_INPUTB_CE="CE1",
            p_REG_INPUTB_RST="RST0",
            p_REG_PIPELINE_CLK="NONE",
            p_REG_OUTPUT_CLK="CLK0",
            p_REG_OUTPUT_CE="CE0",
            p_REG_OUTPUT_RST="RST0",
            p_GSR="DISABLED",
            i_CLK0=ClockSignal(),
            i_CE0=C(1),
            i_CE1=self.swap_in,
            i_RST0=C(0),
            i_SIGNEDA=C(1),
            i_SIGNEDB=C(1),
            i_SOURCEA=C(0),
            i_SOURCEB=C(0),
            **ports,
            **{f"o_P{bit}": raw[bit] for bit in range(2 * MULTIPLIER_BITS)},
        )
        m.d.comb += product.eq(raw[2 * shift :])
        return product


class Ecp5Array(SystolicArray):
    """The array with a MULT18X18D in every element."""

    element = Ecp5Element


@dataclasses.dataclass(frozen=True, kw_only=True)
class Ecp5Pll(Pll):
    """An EHXPLLL with feedback from its primary output."""

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

    def instances(self, *, clock_in, clock_out, locked, lagging=None, lag_ns=0.0):
        """The cell.

        Parameters
        ----------
        clock_in, clock_out, locked
            As for any PLL.
        lagging : Signal or None
            The same clock, so much later.
        lag_ns : float
        """
        phase = self.output_divider // 2
        second = {}
        if lagging is not None:
            lag = round(lag_ns * self.vco_hz / 1e9 * PHASE_STEPS)
            second = {
                "p_CLKOS_ENABLE": "ENABLED",
                "p_CLKOS_DIV": self.output_divider,
                "p_CLKOS_CPHASE": phase + lag // PHASE_STEPS,
                "p_CLKOS_FPHASE": lag % PHASE_STEPS,
                "o_CLKOS": lagging,
            }
        return [
            Instance(
                "EHXPLLL",
                a_FREQUENCY_PIN_CLKI=str(self.input_hz / 1e6),
                a_FREQUENCY_PIN_CLKOP=str(self.output_hz / 1e6),
                a_ICP_CURRENT="12",
                a_LPF_RESISTOR="8",
                a_MFG_ENABLE_FILTEROPAMP="1",
                a_MFG_GMCREF_SEL="2",
                p_PLLRST_ENA="DISABLED",
                p_INTFB_WAKE="DISABLED",
                p_STDBY_ENABLE="DISABLED",
                p_DPHASE_SOURCE="DISABLED",
                p_OUTDIVIDER_MUXA="DIVA",
                p_FEEDBK_PATH="CLKOP",
                p_CLKI_DIV=self.input_divider,
                p_CLKFB_DIV=self.feedback_divider,
                p_CLKOP_ENABLE="ENABLED",
                p_CLKOP_DIV=self.output_divider,
                p_CLKOP_CPHASE=phase,
                p_CLKOP_FPHASE=0,
                i_CLKI=clock_in,
                i_CLKFB=clock_out,
                i_RST=C(0),
                i_STDBY=C(0),
                i_PHASESEL0=C(0),
                i_PHASESEL1=C(0),
                i_PHASEDIR=C(1),
                i_PHASESTEP=C(1),
                i_PHASELOADREG=C(1),
                i_PLLWAKESYNC=C(0),
                i_ENCLKOP=C(0),
                o_CLKOP=clock_out,
                o_LOCK=locked,
                **second,
            )
        ]


def ecp5_pll(input_hz, output_hz):
    """Settings of an EHXPLLL, its oscillator as near the middle of its range as may be.

    Parameters
    ----------
    input_hz, output_hz : float

    Raises
    ------
    ClockError
        If there are none.
    """
    candidates = [
        Ecp5Pll(
            input_hz=input_hz,
            input_divider=input_divider,
            feedback_divider=feedback_divider,
            output_divider=output_divider,
        )
        for input_divider in range(1, DIVIDER_MAX + 1)
        if PFD_HZ[0] <= input_hz / input_divider <= PFD_HZ[1]
        for feedback_divider in range(1, DIVIDER_MAX + 1)
        for output_divider in range(1, DIVIDER_MAX + 1)
        if VCO_HZ[0] <= input_hz * feedback_divider / input_divider * output_divider <= VCO_HZ[1]
    ]
    return choose(sorted(candidates, key=lambda pll: abs(pll.vco_hz - VCO_BEST_HZ)), output_hz)


ECP5 = Vendor(name="ecp5", lowering=Lowering(array=Ecp5Array), pll=ecp5_pll)
"""ECP5, LFE5U."""
