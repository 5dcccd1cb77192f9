"""How long a bit lasts on a serial line: eight data bits, no parity, one stop bit."""

__all__ = ["BITS_PER_BYTE", "DEFAULT_BAUD", "FRACTION_BITS", "baud_error", "bit_period"]

DEFAULT_BAUD = 1_000_000
"""Of boards and hosts, unless something else is wanted."""

BITS_PER_BYTE = 10
"""On the line: start bit, data bits, stop bit."""

FRACTION_BITS = 8
"""Of a bit's period in clock cycles."""

PERIOD_MIN_CYCLES = 4
"""Shortest bit: three samples round its centre, and one for the phase of the two clocks."""


def bit_period(clock_hz, baud):
    """Clock cycles per bit, in units of 1/256.

    Parameters
    ----------
    clock_hz, baud : int

    Raises
    ------
    ValueError
        If a bit is shorter than four cycles or longer than 65535.
    """
    period = round(clock_hz * (1 << FRACTION_BITS) / baud)
    if not PERIOD_MIN_CYCLES << FRACTION_BITS <= period < 1 << 16 + FRACTION_BITS:
        raise ValueError(
            f"baud must be from {clock_hz // 65535 + 1} to {clock_hz // PERIOD_MIN_CYCLES} "
            f"with a clock of {clock_hz} Hz, not {baud}"
        )
    return period


def baud_error(clock_hz, baud):
    """How much longer than wanted a bit lasts, as a fraction: at most 1/2048 of a bit of four cycles."""
    return bit_period(clock_hz, baud) * baud / (clock_hz << FRACTION_BITS) - 1
