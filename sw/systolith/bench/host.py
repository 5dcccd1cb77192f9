"""The machine that figures in seconds were measured on."""

import os
import platform
from pathlib import Path

__all__ = ["host_facts"]

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def host_facts():
    """Processor, processors that may be used, Python, and the variables that bound threads.

    Returns
    -------
    dict
        As JSON can hold it.
    """
    return {
        "processor": _processor(),
        "processors": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        "threads": {name: os.environ.get(name) for name in THREAD_VARIABLES},
    }


def _processor():
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except FileNotFoundError:
        return platform.processor() or platform.machine()
    names = (line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name"))
    return next(names, platform.machine())
