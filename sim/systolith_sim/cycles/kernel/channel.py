"""The memory's data channels."""

from .base import ceil_div, fields, inlined, jit

CHANNEL = fields("numerator denominator free_ticks", at=fields("last"))
"""Beats per cycle; when the next beat may be transferred, in fractions of a cycle, or, where the bandwidth is
not limited, when the last one was."""


@jit
def set_up(channel, numerator, denominator):
    """Nothing has been transferred."""
    channel.numerator = numerator
    channel.denominator = denominator
    channel.at.last = -1


@inlined
def transfer(channel, ready, beats):
    """Transfer beats, the first not before ``ready``; the cycle of the last. As ``harness/rate.hpp``."""
    if channel.numerator == channel.denominator:
        channel.at.last = max(ready, channel.at.last + 1) + beats - 1
        return channel.at.last
    numerator = channel.numerator
    first = max(ready, ceil_div(channel.free_ticks, numerator))
    on_time = channel.free_ticks + numerator > numerator * first
    begin = channel.free_ticks if on_time else numerator * first
    channel.free_ticks = begin + channel.denominator * beats
    return first if beats == 1 else ceil_div(channel.free_ticks - channel.denominator, numerator)
