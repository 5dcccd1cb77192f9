"""Clocks that the PLLs can make, and those that they cannot."""

import pytest
from amaranth.hdl import Signal
from systolith_hw.vendor import ECP5, GENERIC, GW1N9C, GW2A18C, ICE40UP, SERIES7, ClockError


@pytest.mark.parametrize(
    ("vendor", "input_mhz", "output_mhz", "settings"),
    [
        (ECP5, 25, 100, {"input_divider": 1, "feedback_divider": 4, "output_divider": 6}),
        (ICE40UP, 12, 30, {"divr": 0, "divf": 79, "divq": 5, "filter_range": 1}),
        (ICE40UP, 48, 60, {"divr": 0, "divf": 19, "divq": 4, "filter_range": 4}),
        (GW1N9C, 27, 27, {"input_divider": 1, "feedback_divider": 1, "output_divider": 32}),
        (GW2A18C, 27, 54, {"input_divider": 1, "feedback_divider": 2, "output_divider": 16}),
        (SERIES7, 100, 150, {"input_divider": 1, "multiplier": 15, "output_divider": 10}),
        (GENERIC, 12, 12, {}),
    ],
)
def test_settings(vendor, input_mhz, output_mhz, settings):
    pll = vendor.pll(input_mhz * 1e6, output_mhz * 1e6)
    assert pll.output_hz == pytest.approx(output_mhz * 1e6)
    assert {name: getattr(pll, name) for name in settings} == settings


@pytest.mark.parametrize("output_mhz", [16, 21.6, 27, 40.5, 54, 75, 100, 111.111111])
@pytest.mark.parametrize(
    ("vendor", "input_mhz", "vco_mhz"),
    [
        (ECP5, 25, (400, 800)),
        (ICE40UP, 12, (533, 1066)),
        (GW1N9C, 27, (400, 1200)),
        (SERIES7, 100, (800, 1600)),
    ],
)
def test_bounds(vendor, input_mhz, output_mhz, vco_mhz):
    """The clock is the one that was asked for, with an oscillator that can run, or the nearest are told."""
    try:
        pll = vendor.pll(input_mhz * 1e6, output_mhz * 1e6)
    except ClockError as error:
        nearest = [float(word) for word in str(error).split(";")[1].split() if word[0].isdigit()]
        assert nearest
        for mhz in nearest:
            assert vendor.pll(input_mhz * 1e6, mhz * 1e6).output_hz == pytest.approx(mhz * 1e6, rel=1e-4)
            assert abs(mhz - output_mhz) > 1e-4 * output_mhz
        return
    assert pll.output_hz == pytest.approx(output_mhz * 1e6, rel=1e-4)
    assert vco_mhz[0] * 1e6 <= pll.vco_hz <= vco_mhz[1] * 1e6


def test_impossible():
    with pytest.raises(ClockError) as caught:
        ECP5.pll(25e6, 108e6)
    assert str(caught.value) == (
        "a clock of 108 MHz cannot be made by the PLL; nearest are 107.143 and 108.333 MHz"
    )
    with pytest.raises(ClockError, match=r"^a clock of 13 MHz cannot be made by the PLL; nearest is 12 MHz$"):
        GENERIC.pll(12e6, 13e6)


def test_lag():
    """An output may be late by what its counter counts, and no more."""
    ports = {name: Signal() for name in ("clock_in", "clock_out", "locked", "lagging")}
    (cell,) = ECP5.pll(25e6, 62.5e6).instances(**ports, lag_ns=13.0)
    pll = ECP5.pll(25e6, 62.5e6)
    periods = cell.parameters["CLKOS_CPHASE"] - cell.parameters["CLKOP_CPHASE"]
    eighths = 8 * periods + cell.parameters["CLKOS_FPHASE"]
    assert eighths / 8 / pll.vco_hz == pytest.approx(13e-9, abs=0.1e-9)
    with pytest.raises(ClockError, match=r"^the PLL cannot delay a clock of 5 MHz by 197\.0 ns: ask for a"):
        ECP5.pll(25e6, 5e6).instances(**ports, lag_ns=197.0)
