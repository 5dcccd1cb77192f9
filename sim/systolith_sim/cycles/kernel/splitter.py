"""The burst splitter of a DMA, and the register slice before it."""

from .base import ALWAYS, fields, inlined, jit

SPLITTER = fields("", at=fields("ready loaded last"))
"""When the slice takes the next transfer; when the splitter took the last one, and sent its last burst."""


@jit
def set_up(splitter):
    """Nothing was sent."""
    splitter.at.ready = splitter.at.loaded = splitter.at.last = ALWAYS


@inlined
def load(splitter, cycle):
    """The slice takes a transfer in this cycle; when the splitter does, a cycle before its first burst."""
    splitter.at.ready = max(cycle, splitter.at.loaded) + 1
    splitter.at.loaded = max(cycle + 1, splitter.at.last)
    return splitter.at.loaded


@inlined
def last(splitter, cycle):
    """The transfer's last burst is sent in this cycle."""
    splitter.at.last = cycle


@inlined
def first_burst(setup, address, beats):
    """Beats of a transfer before the boundary that no burst may cross."""
    room = (setup.boundary_bytes - (address & (setup.boundary_bytes - 1))) >> setup.bus_log2
    return min(beats, room)
