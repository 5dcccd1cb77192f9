"""Which part of a model runs where, and why."""

import re
from typing import NamedTuple

__all__ = ["DEVICE", "HOST", "Report", "Row"]

DEVICE = "device"
HOST = "host"


class Row(NamedTuple):
    """Something that multiplies matrices.

    Members
    -------
    where : str
        The module's name in the model.
    what : str
        Its kind, or the operator.
    place : str
        :data:`DEVICE` or :data:`HOST`.
    why : str
        What of it the device computes, or why it stays on the host.
    macs : int or None
        Its multiply-accumulates, where the model was run for the report.
    """

    where: str
    what: str
    place: str
    why: str
    macs: int | None = None


class Report:
    """A table of everything in a model that multiplies matrices.

    ``str()`` shows it, layers that are alike as one row.

    Parameters
    ----------
    rows : iterable of Row

    Members
    -------
    rows : tuple of Row
    device, host : tuple of Row
        Those on the device, and those that stay on the host.
    """

    def __init__(self, rows):
        self.rows = tuple(rows)
        self.device = tuple(row for row in self.rows if row.place == DEVICE)
        self.host = tuple(row for row in self.rows if row.place == HOST)

    @property
    def device_share(self):
        """Share of the multiply-accumulates that the device computes; None if the model was not run."""
        total = sum(row.macs or 0 for row in self.rows)
        return sum(row.macs or 0 for row in self.device) / total if total else None

    def __str__(self):
        groups = {}
        for row in self.rows:
            pattern = row._replace(where=re.sub(r"(?<![^.])\d+(?![^.])", "*", row.where), macs=None)
            groups.setdefault(pattern, []).append(row)
        lines = [("module", "count", "kind", "runs on", "MACs", "why")]
        for pattern, rows in groups.items():
            macs = [row.macs for row in rows if row.macs is not None]
            shown = f"{sum(macs):,}" if macs else ""
            lines.append((pattern.where, str(len(rows)), pattern.what, pattern.place, shown, pattern.why))
        shown = [column for column in range(6) if any(line[column] for line in lines[1:])]
        widths = [max(len(line[column]) for line in lines) for column in range(6)]
        table = [
            "  ".join(
                line[column].rjust(widths[column]) if column in (1, 4) else line[column].ljust(widths[column])
                for column in shown
            ).rstrip()
            for line in lines
        ]
        if self.device_share is not None:
            table.append(f"{self.device_share:.1%} of the multiply-accumulates on the device")
        return "\n".join(table)
