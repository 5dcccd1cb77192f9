"""Lattice ECP5: MULT18X18D in processing elements and lanes of the epilogue, and EHXPLLL."""

import dataclasses

from amaranth.hdl import C, Cat, ClockSignal, Instance, Signal, signed

from systolith_hw.accelerator import Lowering
from systolith_hw.array import SystolicArray
from systolith_hw.pe import ProcessingElement
from systolith_hw.requantize import LOW_BITS, Requantizer, RequantizerLanes

from .interface import ClockError, Pll, Vendor, choose

__all__ = ["ECP5", "Ecp5Array", "Ecp5Element", "Ecp5Lanes", "Ecp5Pll", "Ecp5Requantizer", "ecp5_pll"]

PFD_HZ = (3.125e6, 400e6)
VCO_HZ = (400e6, 800e6)
VCO_BEST_HZ = 600e6
DIVIDER_MAX = 128
MULTIPLIER_BITS = 18
PHASE_STEPS = 8
"""Of one period of the oscillator."""
PHASE_MAX = 127
"""Periods of the oscillator by which an output may be late."""


def _multiply(m, name, a, b, *, enable_b=1):
    """A MULT18X18D with registers for both factors and for the product, two cycles after the factors.

    Parameters
    ----------
    m : Module
    name : str
    a, b : Value
        Signed, 18 bits at most.
    enable_b : Value
        Take in ``b``.

    Returns
    -------
    Signal
        signed(36)
    """
    product = Signal(signed(2 * MULTIPLIER_BITS), name=f"{name}_product")
    factors = {"A": Signal(signed(MULTIPLIER_BITS)), "B": Signal(signed(MULTIPLIER_BITS))}
    m.d.comb += [factors["A"].eq(a), factors["B"].eq(b)]
    ports = {
        f"i_{port}{bit}": value[bit] for port, value in factors.items() for bit in range(MULTIPLIER_BITS)
    }
    m.submodules[name] = Instance(
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
        i_CE1=enable_b,
        i_RST0=C(0),
        i_SIGNEDA=C(1),
        i_SIGNEDB=C(1),
        i_SOURCEA=C(0),
        i_SOURCEB=C(0),
        **ports,
        **{f"o_P{bit}": product[bit] for bit in range(2 * MULTIPLIER_BITS)},
    )
    return product


class Ecp5Element(ProcessingElement):
    """A processing element whose multiplier, with the registers round it, is one MULT18X18D.

    The cell's input registers hold the activation, beside the one that passes it on, and the weight in use;
    its output register holds the product.
    """

    def _multiply(self, m, next_weight):
        width = len(self.weight)
        # Left-aligned: the lowest bits, which take longest to be carried up, are zero.
        shift = MULTIPLIER_BITS - width
        factors = (Cat(C(0, shift), value).as_signed() for value in (self.a_in, next_weight))
        raw = _multiply(m, "multiplier", *factors, enable_b=self.swap_in)
        return raw[2 * shift :].as_signed()


class Ecp5Requantizer(Requantizer):
    """A requantizer whose factors and products are in the registers of two MULT18X18D.

    They run on where nothing is valid, which is seen nowhere.
    """

    def _multiply(self, m, valid, biased, multiplier):
        low = _multiply(m, "multiplier_low", biased[:LOW_BITS], multiplier)
        high = _multiply(m, "multiplier_high", biased[LOW_BITS:].as_signed(), multiplier)
        return low[: LOW_BITS + len(multiplier)], high


class Ecp5Lanes(RequantizerLanes):
    """Lanes with two MULT18X18D each."""

    requantizer = Ecp5Requantizer


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

        Raises
        ------
        ClockError
            If the later one would begin too late to be counted.
        """
        phase = self.output_divider // 2
        second = {}
        if lagging is not None:
            lag = round(lag_ns * self.vco_hz / 1e9 * PHASE_STEPS)
            if phase + lag // PHASE_STEPS > PHASE_MAX:
                raise ClockError(
                    f"the PLL cannot delay a clock of {self.output_hz / 1e6:g} MHz by {lag_ns:.1f} ns: "
                    "ask for a faster one"
                )
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


ECP5 = Vendor(name="ecp5", lowering=Lowering(array=Ecp5Array, lanes=Ecp5Lanes), pll=ecp5_pll)
"""ECP5, LFE5U."""
