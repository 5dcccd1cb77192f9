"""What was run: one record per GEMM, and the trace that a device collects."""

import collections
import dataclasses
from typing import NamedTuple

from systolith_hw import ArrayConfig, BLayout, Completion, Counters, Descriptor, Output

from .errors import DeviceError

__all__ = ["PoolCompletion", "Record", "Share", "Trace", "shares"]


class Share(NamedTuple):
    """What one device of a pool did of a GEMM.

    Members
    -------
    run : int
        Number of the pool's run; devices work at the same time in one run, and runs follow each other.
    device : int
        Number of the device in its pool.
    cycles : int or None
        Charged to this GEMM there; ``None`` on a target that has no notion of cycles.
    """

    run: int
    device: int
    cycles: int | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class PoolCompletion(Completion):
    """What the devices of a pool report together of one descriptor, or of its parts.

    Parameters
    ----------
    shares : tuple of Share
    error : DeviceError or None
        Why there is no completion, where ``code`` is pending.
    """

    shares: tuple[Share, ...]
    error: DeviceError | None = None


class Record(NamedTuple):
    """One GEMM that a device has run.

    Members
    -------
    label : str
        Who asked for it, for example a module's name.
    batch, m, k, n : int
        Its shape as run: batch dimensions over which B is shared are counted in ``m``.
    b_layout : BLayout
    output : Output
    target : str
        Name of the target that ran it.
    config : ArrayConfig
    descriptors : tuple of Descriptor
        What the device was given: one, unless the GEMM had to be split.
    counters : Counters or None
        Cycles of all its descriptors; ``None`` on a target that has no notion of cycles.
    seconds : float
        Time that the target took. What runs at the same time, descriptors in one queue or devices of a
        pool, gets its share: by cycles in the one case, by the time of each device in the other.
    shares : tuple of Share
        Which devices of a pool ran it; empty on a device alone.
    """

    label: str
    batch: int
    m: int
    k: int
    n: int
    b_layout: BLayout
    output: Output
    target: str
    config: ArrayConfig
    descriptors: tuple[Descriptor, ...]
    counters: Counters | None
    seconds: float
    shares: tuple[Share, ...] = ()

    @property
    def macs(self):
        """Multiply-accumulates."""
        return self.batch * self.m * self.k * self.n

    @property
    def cycles(self):
        """Cycles charged to this GEMM, or ``None``."""
        return None if self.counters is None else self.counters.total

    @property
    def roofline_cycles(self):
        """Fewest cycles possible, every operand moved once; see :meth:`Descriptor.roofline_cycles`."""
        first = self.descriptors[0]
        if first.k != self.k and self.batch < 1 << 16 and self.m < 1 << 24:
            whole = dataclasses.replace(
                first, batch=self.batch, m=self.m, k=self.k, n=self.n, output=self.output
            )
            return whole.roofline_cycles(self.config)
        return sum(descriptor.roofline_cycles(self.config) for descriptor in self.descriptors)

    @property
    def utilization(self):
        """Multiply-accumulates over those that the array could do in these cycles; ``None`` without."""
        if self.counters is None or not self.counters.total:
            return None
        return self.macs / (self.counters.total * self.config.peak_macs_per_cycle)


class Trace(collections.UserList):
    """A list of :class:`Record` in the order in which they ran, and their sums."""

    @property
    def macs(self):
        """Multiply-accumulates of all GEMMs."""
        return sum(record.macs for record in self.data)

    @property
    def cycles(self):
        """Cycles of all GEMMs; ``None`` if one of them has none."""
        counters = self.counters
        return None if counters is None else counters.total

    @property
    def device_cycles(self):
        """Cycles of each device of a pool, a dict by its number; ``None`` if a GEMM has none.

        What ran on a device alone is device 0's.
        """
        total = collections.Counter()
        for by_device in self._runs():
            total.update(by_device)
        return None if self.cycles is None else dict(sorted(total.items()))

    @property
    def makespan_cycles(self):
        """Cycles until the last device was done, summed over a pool's runs; ``None`` if a GEMM has none.

        On a device alone they are :attr:`cycles`.
        """
        return None if self.cycles is None else sum(max(by_device.values()) for by_device in self._runs())

    def _runs(self):
        """For every run the cycles by device; what ran on a device alone is one run."""
        runs = {}
        for record in self.data:
            for run, device, cycles in record.shares or ((None, 0, record.cycles),):
                by_device = runs.setdefault(run, collections.Counter())
                by_device[device] += cycles or 0
        return runs.values()

    @property
    def roofline_cycles(self):
        """Fewest cycles possible: the sum over the GEMMs."""
        return sum(record.roofline_cycles for record in self.data)

    @property
    def seconds(self):
        """Time that the target took."""
        return sum(record.seconds for record in self.data)

    @property
    def counters(self):
        """The sum of all counters; ``None`` if a GEMM has none."""
        return add_counters(record.counters for record in self.data)

    @property
    def utilization(self):
        """Multiply-accumulates over those that the arrays could do in these cycles; ``None`` without."""
        if not self.cycles:
            return None
        peak = sum(record.counters.total * record.config.peak_macs_per_cycle for record in self.data)
        return self.macs / peak

    def groups(self, key=lambda record: (record.batch, record.m, record.k, record.n)):
        """Traces of records with equal keys, by key, in the order of first appearance.

        Parameters
        ----------
        key : callable
            From a record to what it is grouped by; the shape unless given.

        Returns
        -------
        dict of key to Trace
        """
        groups = {}
        for record in self.data:
            groups.setdefault(key(record), Trace()).append(record)
        return groups


def shares(completions):
    """The shares of some completions: none, unless they are a pool's."""
    return tuple(share for each in completions if isinstance(each, PoolCompletion) for share in each.shares)


_COUNTER_NAMES = tuple(field.name for field in dataclasses.fields(Counters))


def add_counters(counters):
    """The sum of some :class:`Counters`; ``None`` if one of them is ``None``."""
    counters = list(counters)
    if len(counters) == 1 or None in counters:
        return None if None in counters else counters[0]
    return Counters(**{name: sum(getattr(each, name) for each in counters) for name in _COUNTER_NAMES})
