"""How fast the whole accelerator simulates, in ours and in other simulations."""

import dataclasses
import time

from systolith.targets import MEMORY_LATENCY_CYCLES

__all__ = ["LONG", "SHORT", "Work", "measure_simulations", "simulation_floors"]

HARNESS = ("loops", "stock")
"""Ours: fast enough for the long work, and what the others are compared with."""
SHORT_RUNS = 10
"""Runs of the short work for one of the long work."""
PEER_SECONDS = 10.0
"""A slow simulation is not begun again after these."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Work:
    """A queue of equal products.

    Parameters
    ----------
    m, k, n, count : int
    """

    m: int
    k: int
    n: int
    count: int

    def __str__(self):
        return f"{self.count} × {self.m}×{self.k}×{self.n}"


SHORT = Work(m=16, k=64, n=64, count=8)
"""What every simulation runs."""
LONG = Work(m=64, k=384, n=384, count=8)
"""What only ours run: starting takes no part of it that counts."""

FLOORS = {
    (16, 16): {"ratio_to_stock": 5.0, "cycles_per_second": 1e6},
    (32, 32): {"ratio_to_stock": 10.0},
}
"""Least of ``loops`` on :data:`LONG`, by rows and columns."""


def measure_simulations(config, *, names=None, repeats=5, progress=None):
    """Run the same products in every simulation and check every result.

    Ours take turns, so that what else the machine does meets them alike; the best of each counts.

    Parameters
    ----------
    config : ArrayConfig
    names : collection of str or None
        Other simulations to measure beside ours; None: all.
    repeats : int
        Runs of each; slow simulations may have fewer.
    progress : callable or None
        Called with a line of text before anything that takes long.

    Returns
    -------
    list of dict
        A row for each simulation and work, as JSON can hold it. ``missing`` says what to do where a
        simulation is not installed; its figures are None.

    Raises
    ------
    DeviceError
        If a simulation cannot be built, or fails.
    """
    from systolith.simulated.peers import Peer, peer_names

    others = [name for name in peer_names() if name not in HARNESS and (names is None or name in names)]
    missing = {name: Peer.missing(name) for name in others}
    installed = [name for name in others if not missing[name]]
    peers = {
        name: Peer(name, config, latency_cycles=MEMORY_LATENCY_CYCLES, progress=progress)
        for name in (*HARNESS, *installed)
    }
    outcomes = {(name, SHORT): [] for name in peers} | {(name, LONG): [] for name in HARNESS}
    for _ in range(repeats):
        for name in HARNESS:
            outcomes[name, LONG].append(_run(peers[name], LONG))
        for _ in range(SHORT_RUNS):
            for name in HARNESS:
                outcomes[name, SHORT].append(_run(peers[name], SHORT))
    for name in installed:
        if progress:
            progress(f"simulating {SHORT} in {name}")
        end = time.monotonic() + PEER_SECONDS
        for index in range(repeats):
            if index == 0 or time.monotonic() < end:
                outcomes[name, SHORT].append(_run(peers[name], SHORT))
    rows = [_row(config, peers[name], each, outcomes) for name, each in outcomes]
    return rows + [_missing_row(config, name, SHORT, remedy) for name, remedy in missing.items() if remedy]


def simulation_floors(config, rows):
    """What the rows of a configuration must reach.

    Returns
    -------
    list of dict
        With ``work``, ``figure``, ``value``, ``floor`` and ``passed``.
    """
    wanted = FLOORS.get((config.rows, config.columns), {})
    ours = next(row for row in rows if row["simulation"] == "loops" and row["work"] == str(LONG))
    return [
        {
            "work": ours["work"],
            "figure": name,
            "value": ours[name],
            "floor": floor,
            "passed": ours[name] >= floor,
        }
        for name, floor in wanted.items()
    ]


def _run(peer, work):
    return peer.run(**dataclasses.asdict(work))


def _row(config, peer, work, outcomes):
    runs = outcomes[peer.name, work]
    best = _best(runs)
    return _facts(config, peer.name, work) | {
        "cycles": best.cycles,
        "runs": len(runs),
        "cpu_seconds": best.cpu_seconds,
        "wall_seconds": best.wall_seconds,
        "cycles_per_second": best.cycles_per_second,
        "ratio_to_stock": best.cycles_per_second / _best(outcomes["stock", work]).cycles_per_second,
        "ratio_to_loops": best.cycles_per_second / _best(outcomes["loops", work]).cycles_per_second,
        "build_seconds": peer.build_seconds,
        "mismatches": sum(run.mismatches for run in runs),
        "missing": None,
    }


def _missing_row(config, name, work, remedy):
    figures = ("cycles", "runs", "cpu_seconds", "wall_seconds", "cycles_per_second", "ratio_to_stock")
    figures += ("ratio_to_loops", "build_seconds", "mismatches")
    return _facts(config, name, work) | dict.fromkeys(figures) | {"missing": remedy}


def _facts(config, name, work):
    from systolith.simulated.peers import peer_names

    return {"array": str(config), "simulation": name, "about": peer_names()[name], "work": str(work)}


def _best(runs):
    return min(runs, key=lambda run: run.cpu_seconds)
