"""How fast the simulated memory is."""

import dataclasses
from fractions import Fraction

__all__ = ["CHANNELS", "DEFAULT_TIMING", "MemoryTiming"]

CHANNELS = ("ar", "r", "aw", "w", "b")
"""The channels of the memory bus, in the order in which the harness numbers them."""

_MAX_RATE_TERM = 1 << 16


@dataclasses.dataclass(frozen=True, kw_only=True)
class MemoryTiming:
    """Latency, bandwidth and random stalls of the simulated memory.

    A handshake is in cycle t when valid and ready are both high before the rising edge that ends cycle t.

    - Read: an address taken in cycle t has its first beat on R in cycle t + ``latency_cycles`` at the
      earliest; beats come in order, one a cycle.
    - Write: a burst whose address and last beat have both been taken in cycle t has its response on B in
      cycle t + ``write_latency_cycles`` at the earliest; responses come in order, one a cycle. In that
      cycle the data reach the memory; before it, reads find what was there.
    - Bandwidth n/d: a data channel transfers no beat before ``free``, a time in fractions of a cycle. A beat
      transferred in the first cycle that it could be, ⌈``free``⌉, sets ``free`` to ``free`` + d/n; one
      transferred in a later cycle t, to t + d/n. R shows a beat, and W is ready, only in cycles not before
      ``free``. Beats that never wait for the device thus take the cycles t + ⌈i·d/n⌉: at 2/3, t + 0, 2, 3,
      5, 6, 8 …
    - Stalls: with probability p, drawn anew in each cycle and for each channel, AR, AW and W are not
      ready in that cycle, and R and B do not show a new beat in it. One that is shown stays until it is
      taken.

    Otherwise AR, AW and W are always ready, whatever is outstanding.

    Parameters
    ----------
    latency_cycles : int
        At least 1.
    write_latency_cycles : int
        At least 1.
    read_bandwidth : Fraction or int
        Beats per cycle, above 0 and at most 1.
    write_bandwidth : Fraction or int
        Likewise.
    stall_probability : float or dict of str to float
        From 0 up to, not including, 1; for all channels, or for some of ``ar``, ``r``, ``aw``, ``w``, ``b``.
    seed : int
        Of the stalls. They are a function of the seed, the channel and the cycles since the timing was set.

    Raises
    ------
    TypeError, ValueError
        If a parameter is of the wrong type or out of range.
    """

    latency_cycles: int = 40
    write_latency_cycles: int = 40
    read_bandwidth: Fraction | int = Fraction(1)
    write_bandwidth: Fraction | int = Fraction(1)
    stall_probability: float | dict = 0.0
    seed: int = 0

    def __post_init__(self):
        for name in ("latency_cycles", "write_latency_cycles"):
            _check_int(name, getattr(self, name), 1, 1 << 32)
        _check_int("seed", self.seed, 0, 1 << 56)
        for name in ("read_bandwidth", "write_bandwidth"):
            object.__setattr__(self, name, _checked_bandwidth(name, getattr(self, name)))
        object.__setattr__(self, "stall_probability", _checked_stalls(self.stall_probability))

    def __hash__(self):
        return hash((*dataclasses.astuple(self)[:4], *self.stall_probability.items(), self.seed))


def _check_int(name, value, low, high):
    if type(value) is not int:
        raise TypeError(f"{name} must be an int, not {value!r}")
    if not low <= value < high:
        raise ValueError(f"{name} must be at least {low} and below {high}, not {value}")


def _checked_bandwidth(name, value):
    if not isinstance(value, (int, Fraction)) or isinstance(value, bool):
        raise TypeError(f"{name} must be a Fraction or an int, not {value!r}")
    value = Fraction(value)
    if not 0 < value <= 1:
        raise ValueError(f"{name} must be above 0 and at most 1 beat per cycle, not {value}")
    if value.denominator > _MAX_RATE_TERM:
        raise ValueError(
            f"{name} must have a denominator of at most {_MAX_RATE_TERM}, not {value.denominator}"
        )
    return value


def _checked_stalls(value):
    """The probability for every channel."""
    given = value if isinstance(value, dict) else dict.fromkeys(CHANNELS, value)
    for channel, probability in given.items():
        if channel not in CHANNELS:
            raise ValueError(f"stall_probability must be for {', '.join(CHANNELS)}, not {channel!r}")
        if not isinstance(probability, (int, float)) or isinstance(probability, bool):
            raise TypeError(f"stall_probability must be a number, not {probability!r}")
        if not 0 <= probability < 1:
            raise ValueError(f"stall_probability must be from 0 up to, not including, 1, not {probability}")
    return {channel: float(given.get(channel, 0)) for channel in CHANNELS}


DEFAULT_TIMING = MemoryTiming()
"""Latency 40, one beat per cycle, no stalls."""
