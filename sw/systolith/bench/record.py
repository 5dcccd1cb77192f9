"""The file in which the figures of the last benchmarks are kept, and what has changed since."""

import dataclasses
import enum
import json

from .figures import Figure

__all__ = ["Change", "Status", "changes", "entry", "load_record", "save_record"]


class Status(enum.StrEnum):
    """What has become of a figure."""

    WORSE = "worse"
    """By more than its noise."""
    BETTER = "better"
    """By more than its noise."""
    SAME = "same"
    NEW = "new"
    GONE = "gone"
    """It was there, and was not measured again."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Change:
    """A figure beside the last one.

    Members
    -------
    bench, name : str
    status : Status
    old, new : Figure or None
    """

    bench: str
    name: str
    status: Status
    old: Figure | None
    new: Figure | None

    @property
    def passed(self):
        """Whether it is there, not worse, and reaches its floor."""
        return self.status not in {Status.WORSE, Status.GONE} and self.new.passed


def entry(bench, data):
    """What is kept of a benchmark.

    Parameters
    ----------
    bench : Bench
    data : dict
        What it printed.

    Returns
    -------
    dict
        As JSON can hold it.
    """
    figures = {name: dataclasses.asdict(figure) for name, figure in bench.figures(data).items()}
    return {"command": bench.command, "figures": figures, "tables": bench.tables(data)}


def changes(name, before, after):
    """Compare what is kept of a benchmark with what was.

    Parameters
    ----------
    name : str
    before : dict or None
        From :func:`entry`; None: it has not been measured before.
    after : dict

    Returns
    -------
    list of Change
    """
    old, new = ({key: Figure(**value) for key, value in _figures(each).items()} for each in (before, after))
    return [
        Change(
            bench=name,
            name=key,
            status=_status(old.get(key), new.get(key)),
            old=old.get(key),
            new=new.get(key),
        )
        for key in (*new, *(key for key in old if key not in new))
    ]


def load_record(path):
    """What was kept, by the benchmarks' names.

    Parameters
    ----------
    path : pathlib.Path

    Returns
    -------
    dict of str to dict
        Empty if there is no file.

    Raises
    ------
    ValueError
        If the file holds something else.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    try:
        record = json.loads(text)
        for name, kept in record.items():
            changes(name, kept, kept)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"{path} holds no figures of benchmarks: {error}") from None
    return record


def save_record(path, record):
    """Replace the file in one step: a reader finds the old figures or the new ones.

    Parameters
    ----------
    path : pathlib.Path
    record : dict of str to dict
    """
    text = json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    temporary = path.with_name(f".{path.name}.part")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


def _figures(kept):
    return {} if kept is None else kept["figures"]


def _status(old, new):
    if new is None:
        return Status.GONE
    if old is None:
        return Status.NEW
    if new.noise is None:
        return Status.SAME
    worse = new.worse_than(old.value)
    if worse > new.noise:
        return Status.WORSE
    return Status.BETTER if worse < -new.noise else Status.SAME
