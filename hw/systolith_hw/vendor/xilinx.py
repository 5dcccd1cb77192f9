"""AMD Xilinx 7 series: PLLE2_BASE; the vendor's synthesis puts the generic multipliers into DSP48E1."""

import dataclasses

from amaranth.hdl import C, Instance, Signal

from .interface import Pll, Vendor, choose

__all__ = ["SERIES7", "Series7Pll", "series7_pll"]

PFD_HZ = (19e6, 450e6)
VCO_HZ = (800e6, 1600e6)
INPUT_DIVIDER_MAX = 56
MULTIPLIER_MAX = 64
OUTPUT_DIVIDER_MAX = 128


@dataclasses.dataclass(frozen=True, kw_only=True)
class Series7Pll(Pll):
    """A PLLE2_BASE with internal feedback and a global buffer."""

    input_hz: float
    input_divider: int
    multiplier: int
    output_divider: int

    @property
    def output_hz(self):
        return self.vco_hz / self.output_divider

    @property
    def vco_hz(self):
        """The oscillator's own frequency."""
        return self.input_hz * self.multiplier / self.input_divider

    def instances(self, *, clock_in, clock_out, locked):
        feedback = Signal()
        unbuffered = Signal()
        return [
            Instance(
                "PLLE2_BASE",
                p_CLKIN1_PERIOD=1e9 / self.input_hz,
                p_DIVCLK_DIVIDE=self.input_divider,
                p_CLKFBOUT_MULT=self.multiplier,
                p_CLKOUT0_DIVIDE=self.output_divider,
                i_CLKIN1=clock_in,
                i_CLKFBIN=feedback,
                i_RST=C(0),
                i_PWRDWN=C(0),
                o_CLKFBOUT=feedback,
                o_CLKOUT0=unbuffered,
                o_LOCKED=locked,
            ),
            Instance("BUFG", i_I=unbuffered, o_O=clock_out),
        ]


def series7_pll(input_hz, output_hz):
    """Settings of a PLLE2_BASE, its oscillator as fast as may be.

    Parameters
    ----------
    input_hz, output_hz : float

    Raises
    ------
    ClockError
        If there are none.
    """
    candidates = [
        Series7Pll(
            input_hz=input_hz,
            input_divider=input_divider,
            multiplier=multiplier,
            output_divider=output_divider,
        )
        for input_divider in range(1, INPUT_DIVIDER_MAX + 1)
        if PFD_HZ[0] <= input_hz / input_divider <= PFD_HZ[1]
        for multiplier in range(2, MULTIPLIER_MAX + 1)
        if VCO_HZ[0] <= input_hz * multiplier / input_divider <= VCO_HZ[1]
        for output_divider in range(1, OUTPUT_DIVIDER_MAX + 1)
    ]
    return choose(sorted(candidates, key=lambda pll: -pll.vco_hz), output_hz)


SERIES7 = Vendor(name="series7", pll=series7_pll)
"""Artix-7, speed grade -1."""
