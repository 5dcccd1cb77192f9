"""What is kept of the benchmarks, and what is told of a change."""

import json

import pytest
from systolith.bench.figures import Bench, Figure
from systolith.bench.record import Status, changes, entry, load_record, save_record

BENCH = Bench(
    arguments=("bench", "gemm"),
    figures=lambda data: {"ratio": Figure(value=data["ratio"], floor=1.05)},
    tables=lambda data: {"shown": data["shown"]},
)


def kept(**figures):
    return {"command": "x", "figures": {name: vars(figure) for name, figure in figures.items()}, "tables": {}}


def status(old, new):
    (change,) = changes("bench", kept(a=old), kept(a=new))
    return change.status


def test_figure_worse_than():
    assert Figure(value=1.1).worse_than(1.0) == pytest.approx(0.1)
    assert Figure(value=0.9).worse_than(1.0) == pytest.approx(-0.1)
    assert Figure(value=4.0, better="higher").worse_than(5.0) == pytest.approx(0.2)
    assert Figure(value=2.0).worse_than(0) == 2.0
    assert Figure(value=0.0).worse_than(0) == 0.0


@pytest.mark.parametrize(
    ("value", "floor", "better", "passed"),
    [
        (1.05, 1.05, "lower", True),
        (1.0500001, 1.05, "lower", False),
        (5.0, 5.0, "higher", True),
        (4.999, 5.0, "higher", False),
        (1, 0, "lower", False),
        (0, 0, "lower", True),
        (9.0, None, "lower", True),
    ],
)
def test_figure_passed(value, floor, better, passed):
    assert Figure(value=value, floor=floor, better=better).passed is passed


def test_figure_counts_faults():
    assert Figure(value=1, floor=0).counts_faults
    assert not Figure(value=0, floor=0).counts_faults
    assert not Figure(value=9.0, floor=1.0).counts_faults
    assert not Figure(value=9.0).counts_faults


def test_figure_wrong():
    with pytest.raises(ValueError, match=r"^better must be 'lower' or 'higher', not 'more'$"):
        Figure(value=1.0, better="more")


def test_counted_figures_may_not_be_worse_at_all():
    assert status(Figure(value=1.001), Figure(value=1.001)) is Status.SAME
    assert status(Figure(value=1.001), Figure(value=1.0010001)) is Status.WORSE
    assert status(Figure(value=1.001), Figure(value=1.0009999)) is Status.BETTER


@pytest.mark.parametrize(
    ("old", "new", "wanted"),
    [(5.0, 4.1, Status.SAME), (5.0, 3.9, Status.WORSE), (5.0, 5.9, Status.SAME), (5.0, 6.1, Status.BETTER)],
)
def test_timed_figures_may_be_worse_by_their_noise(old, new, wanted):
    timed = {"better": "higher", "noise": 0.2}
    assert status(Figure(value=old, **timed), Figure(value=new, **timed)) is wanted


def test_machine_figures_are_not_compared():
    absolute = {"better": "higher", "noise": None}
    assert status(Figure(value=9e6, **absolute), Figure(value=1.0, **absolute)) is Status.SAME


def test_new_and_gone():
    old, new = kept(a=Figure(value=1), b=Figure(value=2)), kept(b=Figure(value=2), c=Figure(value=3))
    found = changes("bench", old, new)
    assert [(change.name, change.status) for change in found] == [
        ("b", Status.SAME),
        ("c", Status.NEW),
        ("a", Status.GONE),
    ]
    assert [change.passed for change in found] == [True, True, False]
    assert [change.status for change in changes("bench", None, new)] == [Status.NEW, Status.NEW]


def test_change_passed():
    floor = {"floor": 1.05}
    (same_but_missed,) = changes("b", kept(a=Figure(value=1.2, **floor)), kept(a=Figure(value=1.2, **floor)))
    assert (same_but_missed.status, same_but_missed.passed) == (Status.SAME, False)
    (worse_within_floor,) = changes(
        "b", kept(a=Figure(value=1.01, **floor)), kept(a=Figure(value=1.02, **floor))
    )
    assert not worse_within_floor.passed


def test_entry():
    made = entry(BENCH, {"ratio": 1.01, "shown": [1], "rows": [2]})
    assert made == {
        "command": "systolith bench gemm --json",
        "figures": {"ratio": {"value": 1.01, "floor": 1.05, "better": "lower", "noise": 0.0}},
        "tables": {"shown": [1]},
    }


def test_save_and_load(tmp_path):
    path = tmp_path / "ratios.json"
    assert load_record(path) == {}
    record = {"gemm": entry(BENCH, {"ratio": 1.01, "shown": "×"})}
    save_record(path, record)
    save_record(path, record)
    assert load_record(path) == record
    assert [each.name for each in tmp_path.iterdir()] == ["ratios.json"]
    assert "×" in path.read_text(encoding="utf-8")


def test_save_keeps_the_old_file(tmp_path):
    path = tmp_path / "ratios.json"
    save_record(path, {})
    with pytest.raises(ValueError, match="JSON compliant"):
        save_record(path, {"gemm": float("nan")})
    assert json.loads(path.read_text(encoding="utf-8")) == {}


@pytest.mark.parametrize("text", ["", "[]", '{"gemm": 3}', '{"gemm": {"figures": {"a": {"x": 1}}}}'])
def test_load_wrong(tmp_path, text):
    path = tmp_path / "ratios.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"ratios\.json holds no figures of benchmarks"):
        load_record(path)
