"""The results of ``bench gemm`` by array and kind, and what other accelerators publish."""

import statistics

__all__ = ["PEERS", "case_name", "gemm_groups"]

PEERS = (
    {
        "name": "OpenGeMM",
        "figure": "82–99 % of its MACs busy, over CNN and transformer workloads",
        "source": "arXiv:2411.09543",
    },
    {
        "name": "RedMulE",
        "figure": "98.8 % of its MACs busy, at best",
        "source": "arXiv:2204.11192",
    },
)
"""Published by their authors, not measured here."""


def case_name(row):
    """The shape of a case, such as ``9 × 32×64×32 nk int8``.

    Parameters
    ----------
    row : dict
        From :meth:`GemmResult.as_dict`.
    """
    shape = f"{row['m']}×{row['k']}×{row['n']} {row['b_layout']} {row['out']}"
    return f"{row['batch']} × {shape}" if row["batch"] > 1 else shape


def gemm_groups(rows):
    """What is typical of each array and kind, and the worst.

    Parameters
    ----------
    rows : list of dict
        From :meth:`GemmResult.as_dict`, each with its ``array``.

    Returns
    -------
    list of dict
        As JSON can hold it. ``shares`` says where the cycles of the worst case went.
    """
    grouped = {}
    for row in rows:
        grouped.setdefault((row["array"], row["kind"]), []).append(row)
    return [_group(array, kind, members) for (array, kind), members in grouped.items()]


def _group(array, kind, rows):
    worst = max(rows, key=lambda row: row["ratio"])
    return {
        "array": array,
        "kind": kind,
        "cases": len(rows),
        "median_ratio": statistics.median(row["ratio"] for row in rows),
        "worst_ratio": worst["ratio"],
        "floor": worst["floor"],
        "missed": sum(not row["passed"] for row in rows),
        "median_utilization": statistics.median(row["utilization"] for row in rows),
        "least_utilization": min(row["utilization"] for row in rows),
        "worst_case": case_name(worst),
        "shares": {name: cycles / worst["cycles"] for name, cycles in worst["counters"].items()},
    }
