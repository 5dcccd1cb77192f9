"""How long building took, kept beside what was built."""

import contextlib
import json
import resource

__all__ = ["build_seconds", "noted_build_time"]

_FILE = "build.json"


@contextlib.contextmanager
def noted_build_time(folder):
    """Leave a note in ``folder`` of the processor time that a ``with`` block and its processes take.

    Parameters
    ----------
    folder : pathlib.Path
    """
    before = _cpu_seconds()
    yield
    note = {"cpu_seconds": _cpu_seconds() - before}
    (folder / _FILE).write_text(json.dumps(note), encoding="utf-8")


def build_seconds(folder):
    """Processor time that building took, of all processes together.

    Parameters
    ----------
    folder : pathlib.Path

    Returns
    -------
    float or None
        None: there is no note.
    """
    try:
        note = json.loads((folder / _FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return float(note["cpu_seconds"])


def _cpu_seconds():
    usages = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)
