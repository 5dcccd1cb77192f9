"""From the records of what ran to the figures that people read: one row per GEMM shape, and the totals."""

import dataclasses

from systolith_hw import Counters

from .records import Trace
from .targets import CycleSource, find_target

__all__ = ["Row", "rows", "total"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Row:
    """What the GEMMs of one kind took together.

    Parameters
    ----------
    kind : str
        Their shape, such as ``"12 × 32×32×32"`` (batch, M, K, N), or ``"total"``.
    count : int
        How many there were.
    macs : int
        Multiply-accumulates.
    cycles : int or None
        ``None``, like the following, on a target without cycles.
    roofline_cycles : int
        Fewest cycles possible, every operand moved once.
    utilization : float or None
        Multiply-accumulates over those that the array could do in ``cycles``.
    counters : Counters or None
        Where the cycles went.
    seconds : float
        Time that the target took.
    cycle_source : CycleSource or None
        Where the cycle counts come from.
    """

    kind: str
    count: int
    macs: int
    cycles: int | None
    roofline_cycles: int
    utilization: float | None
    counters: Counters | None
    seconds: float
    cycle_source: CycleSource | None

    @property
    def ratio(self):
        """Cycles over the fewest possible, or ``None``."""
        return None if self.cycles is None else self.cycles / self.roofline_cycles

    @property
    def simulation_hz(self):
        """Cycles per second that the target ran; ``None`` where it has not run them one by one."""
        counted = self.cycle_source is CycleSource.COUNTERS
        return self.cycles / self.seconds if counted and self.seconds else None

    def as_dict(self):
        """The row as JSON can hold it."""
        counters = self.counters
        return {
            "kind": self.kind,
            "count": self.count,
            "macs": self.macs,
            "cycles": self.cycles,
            "roofline_cycles": self.roofline_cycles,
            "ratio": self.ratio,
            "utilization": self.utilization,
            "counters": counters and {"total": counters.total, **counters.parts},
            "seconds": self.seconds,
            "sim_hz": self.simulation_hz,
            "cycle_source": self.cycle_source,
        }


def _row(kind, trace):
    target, _ = find_target(trace[0].target)
    return Row(
        kind=kind,
        count=len(trace),
        macs=trace.macs,
        cycles=trace.cycles,
        roofline_cycles=trace.roofline_cycles,
        utilization=trace.utilization,
        counters=trace.counters,
        seconds=trace.seconds,
        cycle_source=None if trace.cycles is None else target.cycle_source,
    )


def _shape(record):
    return record.batch, record.m, record.k, record.n, record.b_layout


def _kind(trace):
    """The shape of a trace's GEMMs; a size in which they differ is told as the least and the largest."""
    batch, m, k, n = (
        _sizes({getattr(record, name) for record in trace}) for name in ("batch", "m", "k", "n")
    )
    kind = f"{m}×{k}×{n} {trace[0].b_layout.name.lower()}"
    return kind if batch == "1" else f"{batch} × {kind}"


def _sizes(values):
    return str(*values) if len(values) == 1 else f"{min(values)}…{max(values)}"


def rows(trace, *, key=_shape):
    """One row per GEMM shape and layout of B, the shapes with the most multiply-accumulates first.

    Parameters
    ----------
    trace : Trace
    key : callable
        From a record to what it is grouped by, unless that is its shape; of a group, all B have one layout.

    Returns
    -------
    list of Row
    """
    groups = trace.groups(key).values()
    return sorted((_row(_kind(group), group) for group in groups), key=lambda row: row.macs, reverse=True)


def total(trace):
    """All GEMMs as one row.

    Parameters
    ----------
    trace : Trace
        At least one record.

    Returns
    -------
    Row
    """
    return _row("total", Trace(trace))
