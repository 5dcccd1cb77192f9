"""What nextpnr found out, in our terms."""

import dataclasses
import json

from .components import component_of
from .tools import FlowError

__all__ = ["Path", "Report", "Step", "read_report", "sum_utilization"]


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
    resources : dict of str to dict of str to int
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
    counted = {element: (facts["used"], facts["available"]) for element, facts in data["utilization"].items()}
    utilization = sum_utilization(counted, resources)
    report = Report(
        used={name: used for name, (used, _) in utilization.items()},
        available={name: available for name, (_, available) in utilization.items()},
        fmax_mhz={clock: facts["achieved"] for clock, facts in clocks.items()},
        constraint_mhz={clock: facts["constraint"] for clock, facts in clocks.items()},
        critical=None,
    )
    for path in data["critical_paths"]:
        if path["from"] == path["to"] and path["from"].split(" ", 1)[-1] == report.slowest:
            return dataclasses.replace(report, critical=_path(path["path"]))
    return report


def sum_utilization(counted, resources):
    """What is used, and what there is, of each resource.

    Parameters
    ----------
    counted : dict of str to (int, int)
        The same of nextpnr's elements.
    resources : dict of str to dict of str to int
        As of a :class:`.flow.Flow`.

    Returns
    -------
    dict of str to (int, int)
    """
    return {
        name: (
            sum(number * counted.get(element, (0, 0))[0] for element, number in taken.items()),
            counted.get(next(iter(taken)), (0, 0))[1],
        )
        for name, taken in resources.items()
    }


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
