"""What nextpnr found out, in our terms."""

import dataclasses
import json

from .components import component_of
from .tools import FlowError

__all__ = ["Path", "Report", "Step", "read_report"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Step:
    """Part of a path that lies in one component.

    Members
    -------
    component : str
    logic_ns, routing_ns : float
    """

    component: str
    logic_ns: float
    routing_ns: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Path:
    """The path that limits a clock.

    Members
    -------
    start, end : str
        Cells.
    steps : list of Step
    """

    start: str
    end: str
    steps: list[Step]

    @property
    def delay_ns(self):
        """Of the whole path."""
        return sum(step.logic_ns + step.routing_ns for step in self.steps)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Report:
    """One placement and routing.

    Members
    -------
    used, available : dict of str to int
        By the resource names of the flow.
    fmax_mhz : dict of str to float
        By clock.
    constraint_mhz : dict of str to float
        Likewise.
    critical : Path or None
        Of the slowest clock.
    """

    used: dict[str, int]
    available: dict[str, int]
    fmax_mhz: dict[str, float]
    constraint_mhz: dict[str, float]
    critical: Path | None

    @property
    def margin(self):
        """The least ratio of what a clock may be to what it is to be."""
        return min(self.fmax_mhz[clock] / self.constraint_mhz[clock] for clock in self.fmax_mhz)

    @property
    def slowest(self):
        """The clock with the least margin."""
        return min(self.fmax_mhz, key=lambda clock: self.fmax_mhz[clock] / self.constraint_mhz[clock])


def read_report(file, *, resources):
    """Read nextpnr's report.

    Parameters
    ----------
    file : Path
    resources : dict of str to str
        As of a :class:`.flow.Flow`.

    Raises
    ------
    FlowError
        If the report tells no clock.
    """
    data = json.loads(file.read_text(encoding="utf-8"))
    clocks = data["fmax"]
    if not clocks:
        raise FlowError("nextpnr's report tells of no clock")
    report = Report(
        used={name: data["utilization"].get(key, {}).get("used", 0) for name, key in resources.items()},
        available={
            name: data["utilization"].get(key, {}).get("available", 0) for name, key in resources.items()
        },
        fmax_mhz={clock: facts["achieved"] for clock, facts in clocks.items()},
        constraint_mhz={clock: facts["constraint"] for clock, facts in clocks.items()},
        critical=None,
    )
    for path in data["critical_paths"]:
        if path["from"] == path["to"] and path["from"].split(" ", 1)[-1] == report.slowest:
            return dataclasses.replace(report, critical=_path(path["path"]))
    return report


def _path(hops):
    """Join neighbouring hops in one component."""
    steps = []
    for hop in hops:
        component = component_of(hop["to"]["cell"]) or component_of(hop["from"]["cell"])
        routing = hop["delay"] if hop["type"] == "routing" else 0.0
        logic = hop["delay"] - routing
        if steps and steps[-1].component == component:
            last = steps.pop()
            logic, routing = last.logic_ns + logic, last.routing_ns + routing
        steps.append(Step(component=component, logic_ns=logic, routing_ns=routing))
    return Path(start=hops[0]["from"]["cell"], end=hops[-1]["to"]["cell"], steps=steps)
