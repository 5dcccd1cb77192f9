"""Which device of a pool runs what: whole descriptors, or parts of them where that is worth it."""

import functools
from typing import NamedTuple

from .channel import frame
from .cut import START_CYCLES, cut_in_two, estimate_cycles

__all__ = ["Portion", "plan", "spread"]

LEAST_GAIN = 0.05
"""Share of the makespan that must be saved for descriptors to be cut."""


KEPT_DESCRIPTORS = 256
"""Longest queue whose plan is kept; for a longer one planning is little beside running."""


class Portion(NamedTuple):
    """What one device runs.

    Members
    -------
    indices : tuple of int
        Of which descriptor each is, or is a part of.
    framed : bytes
        The descriptors, packed, as they are sent.
    """

    indices: tuple
    framed: bytes


def plan(descriptors, config, devices):
    """The portion of each device.

    Parameters
    ----------
    descriptors : tuple of Descriptor
        Independent of each other.
    config : ArrayConfig
    devices : int

    Returns
    -------
    list of Portion
        One for each device; some may be empty.
    """
    return (_kept_plan if len(descriptors) <= KEPT_DESCRIPTORS else _plan)(descriptors, config, devices)


def _plan(descriptors, config, devices):
    portions = []
    for parts in spread(descriptors, config, devices):
        packed = b"".join(part.pack() for _, part in parts)
        portions.append(Portion(tuple(index for index, _ in parts), frame(packed)))
    return portions


_kept_plan = functools.lru_cache(maxsize=256)(_plan)


def spread(descriptors, config, devices):
    """As :func:`plan`, by device a list of (index, Descriptor)."""
    work = [estimate_cycles(descriptor, config) for descriptor in descriptors]
    longest_first = sorted(range(len(descriptors)), key=lambda index: -work[index])
    whole, makespan = _spread_whole(descriptors, work, longest_first, devices)
    if makespan * (1 - LEAST_GAIN) * devices <= sum(work):
        return whole
    cut, cut_makespan = _spread_cut(descriptors, work, longest_first, devices, config)
    return cut if cut_makespan <= makespan * (1 - LEAST_GAIN) else whole


def _spread_whole(descriptors, work, order, devices):
    """Each to the device that is free first."""
    lists, loads = [[] for _ in range(devices)], [0] * devices
    for index in order:
        device = loads.index(min(loads))
        lists[device].append((index, descriptors[index]))
        loads[device] += work[index]
    return lists, max(loads)


def _spread_cut(descriptors, work, order, devices, config):
    """One device after the other filled with an equal share; what is too much is cut off for the next."""
    lists, loads = [[] for _ in range(devices)], [0] * devices
    # Every cut starts one descriptor more.
    share = (sum(work) + (devices - 1) * START_CYCLES) / devices
    device = 0
    for index in order:
        rest, cycles = descriptors[index], work[index]
        while device < devices - 1 and loads[device] + cycles > share * (1 + LEAST_GAIN / 2):
            parts = cut_in_two(rest, share - loads[device], config)
            if parts is not None:
                part, rest = parts
                lists[device].append((index, part))
                loads[device] += estimate_cycles(part, config)
                cycles = estimate_cycles(rest, config)
            device += 1
        lists[device].append((index, rest))
        loads[device] += cycles
    return lists, max(loads)
