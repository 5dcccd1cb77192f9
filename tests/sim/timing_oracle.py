"""When a copier's bus events happen, from the documented timing of the memory; shares no code with it."""

import itertools
from fractions import Fraction

FIFO_LATENCY = 2
MASK = (1 << 64) - 1


def splitmix64(value):
    value = (value + 0x9E3779B97F4A7C15) & MASK
    value = ((value ^ value >> 30) * 0xBF58476D1CE4E5B9) & MASK
    value = ((value ^ value >> 27) * 0x94D049BB133111EB) & MASK
    return value ^ value >> 31


class Link:
    """A data channel of limited bandwidth."""

    def __init__(self, bandwidth):
        self.period = 1 / Fraction(bandwidth)
        self.free = Fraction(0)

    def transfer(self, cycle):
        on_time = self.free > cycle - 1
        self.free = (self.free if on_time else cycle) + self.period


def burst_sizes(address, beats, burst, bus_bytes):
    sizes = []
    while beats:
        to_boundary = burst - address // bus_bytes % burst
        sizes.append(min(beats, to_boundary))
        beats -= sizes[-1]
        address += sizes[-1] * bus_bytes
    return sizes


def expected_stamps(timing, *, source, destination, beats, burst, bus_bytes, start, timing_set):
    """The stamps of a copy small enough for the copier's buffer.

    Parameters
    ----------
    start : int
        Cycle that the copier numbers 0.
    timing_set : int
        Cycle in which the timing was set.
    """

    def stalled(channel, now):
        index = ("ar", "r", "aw", "w", "b").index(channel)
        key = splitmix64(timing.seed + (index << 56))
        draw = splitmix64((key + start + now - timing_set) & MASK) >> 32
        return draw < round(timing.stall_probability[channel] * 2**32)

    reads = burst_sizes(source, beats, burst, bus_bytes)
    writes = burst_sizes(destination, beats, burst, bus_bytes)
    read_link, write_link = Link(timing.read_bandwidth), Link(timing.write_bandwidth)
    # Absolute times: the links' count does not begin with the copy.
    events = {name: [] for name in ("ar", "r", "aw", "w", "b")}
    available, readable, ends = [], [], list(itertools.accumulate(writes))
    shown_r = shown_b = False
    for now in itertools.count(1):
        cycle = start + now
        done = len(events["r"])
        if not shown_r and done < len(available) and now >= available[done]:
            shown_r = cycle >= read_link.free and not stalled("r", now)
        answered = len(events["b"])
        if not shown_b and answered < len(events["aw"]) and len(events["w"]) >= ends[answered]:
            complete = max(events["aw"][answered], events["w"][ends[answered] - 1])
            shown_b = now >= complete + timing.write_latency_cycles and not stalled("b", now)
        write_ready = cycle >= write_link.free and not stalled("w", now)
        sent = len(events["w"])
        if write_ready and sent < len(readable) and now >= readable[sent]:
            events["w"].append(now)
            write_link.transfer(cycle)
        if shown_r:
            events["r"].append(now)
            readable.append(now + FIFO_LATENCY)
            read_link.transfer(cycle)
            shown_r = False
        if shown_b:
            events["b"].append(now)
            shown_b = False
        if len(events["ar"]) < len(reads) and not stalled("ar", now):
            available += [now + timing.latency_cycles] * reads[len(events["ar"])]
            events["ar"].append(now)
        if len(events["aw"]) < len(writes) and not stalled("aw", now):
            events["aw"].append(now)
        if len(events["b"]) == len(writes):
            break
    stamps = {f"{channel}_first": times[0] for channel, times in events.items()}
    stamps |= {f"{channel}_last": times[-1] for channel, times in events.items() if channel != "aw"}
    return stamps
