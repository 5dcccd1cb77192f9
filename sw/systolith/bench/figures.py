"""What is kept of each benchmark: figures that are compared with the last ones, and tables for readers."""

import dataclasses

__all__ = ["BENCHES", "Bench", "Figure"]

TIMING_NOISE = 0.2
"""Share by which a ratio of two times may differ between two runs of the same programs."""
HOST_NOISE = 0.5
"""Of the host's share, which is small and measured once."""
HOST_SHARE_FLOOR = 0.10
"""Most of a forward's time that may pass outside the device."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Figure:
    """One number that must not get worse.

    Parameters
    ----------
    value : float
    floor : float or None
        What it must reach.
    better : str
        ``"lower"`` or ``"higher"``.
    noise : float or None
        Share by which it may be worse without being told: 0 for what is counted. None: it depends on the
        machine, and is not compared.
    """

    value: float
    floor: float | None = None
    better: str = "lower"
    noise: float | None = 0.0

    def __post_init__(self):
        if self.better not in {"lower", "higher"}:
            raise ValueError(f"better must be 'lower' or 'higher', not {self.better!r}")

    @property
    def passed(self):
        """Whether it reaches its floor."""
        return self.floor is None or self.worse_than(self.floor) <= 0

    @property
    def counts_faults(self):
        """Whether it counts what must not be, and there is some."""
        return self.floor == 0 and self.value > 0

    def worse_than(self, other):
        """By which share of ``other`` the value is worse; negative if it is better."""
        difference = self.value - other if self.better == "lower" else other - self.value
        return difference / abs(other) if other else float(difference)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Bench:
    """A benchmark of which figures are kept.

    Parameters
    ----------
    arguments : tuple of str
        What ``systolith`` is called with, beside ``--json``.
    figures : callable
        From what it prints to a dict of :class:`Figure` by name.
    tables : callable
        From what it prints to what the documents show of it.
    """

    arguments: tuple
    figures: object
    tables: object

    @property
    def command(self):
        """As a user would type it."""
        return " ".join(("systolith", *self.arguments, "--json"))


def _size(array):
    return array.partition("-")[0]


def _gemm_figures(data):
    figures = {}
    for group in data["groups"]:
        name = f"{_size(group['array'])} {group['kind']}: cycles ÷ roofline"
        figures[f"{name}, worst"] = Figure(value=group["worst_ratio"], floor=group["floor"])
        figures[f"{name}, median"] = Figure(value=group["median_ratio"])
    wrong = sum(row["mismatches"] for row in data["rows"])
    return figures | {"wrong elements": Figure(value=wrong, floor=0)}


def _sim_figures(data):
    figures = {}
    floors = {(floor["array"], floor["work"], floor["figure"]): floor["floor"] for floor in data["floors"]}
    speeds = {}
    for row in data["rows"]:
        if not row["missing"]:
            speeds[row["array"], row["simulation"], row["work"]] = row["cycles_per_second"]
    for (array, simulation, work), speed in speeds.items():
        ours = speeds[array, "loops", work]
        if simulation == "loops":
            floor = floors.get((array, work, "cycles_per_second"))
            name = f"{_size(array)} {work}: loops, cycles per second"
            figures[name] = Figure(value=speed, floor=floor, better="higher", noise=None)
        else:
            floor = floors.get((array, work, "ratio_to_stock")) if simulation == "stock" else None
            name = f"{_size(array)} {work}: loops ÷ {simulation}"
            figures[name] = Figure(value=ours / speed, floor=floor, better="higher", noise=TIMING_NOISE)
    wrong = sum(row["mismatches"] or 0 for row in data["rows"])
    return figures | {"wrong elements": Figure(value=wrong, floor=0)}


def _cycles_figures(data):
    figures = {}
    for layer in data["layers"]:
        name = f"{_size(layer['array'])} MiniLM layer, {layer['tokens']} tokens"
        figures[f"{name}: rtl cycles"] = Figure(value=layer["rtl_cycles"])
        figures[f"{name}: wrong predictions"] = Figure(value=layer["mismatches"], floor=0)
        figures[f"{name}: cycle model ÷ rtl, speed"] = Figure(
            value=layer["speed_ratio"], floor=layer["floor"], better="higher", noise=TIMING_NOISE
        )
    return figures


def _pool_figures(data):
    figures = {}
    for row in data["rows"]:
        name = f"{_size(data['array'])} {data['workers']} devices, {row['work']}"
        figures[f"{name}: throughput ratio"] = Figure(
            value=row["throughput_ratio"], floor=row["floor"], better="higher", noise=TIMING_NOISE
        )
        figures[f"{name}: throughput ratio, CPU time"] = Figure(
            value=row["cpu_ratio"], better="higher", noise=TIMING_NOISE
        )
        figures[f"{name}: cycle ratio"] = Figure(value=row["cycle_ratio"], better="higher")
    wrong = sum(row["mismatches"] for row in data["rows"])
    return figures | {"wrong elements": Figure(value=wrong, floor=0)}


def _run_figures(data):
    name = f"{_size(data['array'])} {data['model']}"
    running = data["host_seconds"] + data["device_seconds"]
    return {
        f"{name}: host share of the time": Figure(
            value=data["host_seconds"] / running, floor=HOST_SHARE_FLOOR, noise=HOST_NOISE
        ),
        f"{name}: cycles": Figure(value=data["cycles"]),
        f"{name}: wrong products": Figure(value=len(data["mismatches"]), floor=0),
    }


def _run_tables(data):
    shown = ("model", "array", "tokens", "gemms", "cycles", "roofline_cycles", "utilization")
    return {name: data[name] for name in (*shown, "device_seconds", "host_seconds", "sim_hz")}


def _without_rows(data):
    return {name: value for name, value in data.items() if name != "rows"}


BENCHES = {
    "gemm": Bench(arguments=("bench", "gemm"), figures=_gemm_figures, tables=_without_rows),
    "sim": Bench(
        arguments=("bench", "sim", "--array", "16x16", "--array", "32x32"), figures=_sim_figures, tables=dict
    ),
    "cycles": Bench(arguments=("bench", "cycles"), figures=_cycles_figures, tables=dict),
    "pool": Bench(arguments=("bench", "pool"), figures=_pool_figures, tables=dict),
    "run": Bench(arguments=("run", "minilm", "--target", "rtl"), figures=_run_figures, tables=_run_tables),
}
"""By name, in the order in which they run."""
