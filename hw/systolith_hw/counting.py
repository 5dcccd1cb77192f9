"""Counters that are loaded."""

from amaranth.hdl import Mux

__all__ = ["next_count"]


def next_count(count, *, loads, value):
    """What a counter holds next: ``value`` if it ``loads``, or else one more.

    What is added depends on ``loads``, too, though the sum is not used then: so an iCE40, whose carry chain
    shares its inputs with the lookup tables, needs one of these for a bit instead of two.

    Parameters
    ----------
    count : Signal
    loads : Value
        Of one bit; not late, for it leads through the carry chain.
    value : Value
    """
    return Mux(loads, value, count - (~loads).replicate(len(count)))[: len(count)]
