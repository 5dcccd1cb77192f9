"""systolith bench all."""

import json
import subprocess

import pytest
from systolith.bench.figures import Bench, Figure
from systolith.cli import bench_all


@pytest.fixture
def answers(monkeypatch):
    """What the two benchmarks measure next, by name; the commands that were called are under ``calls``."""
    measured = {"first": 1.0, "second": 3.0, "calls": []}

    def bench(name):
        return Bench(
            arguments=("bench", name),
            figures=lambda data: {"ratio": Figure(value=data["ratio"], floor=2.0)},
            tables=lambda data: data,
        )

    def run(command, **_):
        arguments = command[3:]
        measured["calls"].append(arguments)
        answer = measured[arguments[1]]
        out = answer if isinstance(answer, str) else json.dumps({"ratio": answer})
        return subprocess.CompletedProcess(command, 3, stdout=out)

    monkeypatch.setattr(bench_all, "BENCHES", {"first": bench("first"), "second": bench("second")})
    monkeypatch.setattr(subprocess, "run", run)
    return measured


def test_bench_all(systolith, answers, tmp_path):
    path = tmp_path / "ratios.json"
    first = systolith("bench", "all", "--file", path, "--json")
    assert first.code == 1
    assert not first.json["passed"]
    assert [(change["status"], change["passed"]) for change in first.json["changes"]] == [
        ("new", True),
        ("new", False),
    ]
    assert answers["calls"] == [["bench", "first", "--json"], ["bench", "second", "--json"]]
    answers |= {"first": 1.5, "second": 1.75}
    second = systolith("bench", "all", "--file", path)
    assert second.code == 1
    assert "first ratio" in second.out
    assert "worse" in second.out
    assert "2 figures: 1 worse, 1 better; 0 miss their floor" in second.out
    third = systolith("bench", "all", "--file", path)
    assert (third.code, "ratio" in third.out) == (0, False)
    record = json.loads(path.read_text(encoding="utf-8"))
    assert {name: kept["figures"]["ratio"]["value"] for name, kept in record.items()} == {
        "first": 1.5,
        "second": 1.75,
    }
    assert record["first"]["command"] == "systolith bench first --json"


def test_bench_all_wrong_results(systolith, answers, monkeypatch, tmp_path):
    """They are told, and the last right ones are kept."""
    path = tmp_path / "ratios.json"
    answers["second"] = 2.0
    assert systolith("bench", "all", "--file", path).code == 0
    kept = path.read_bytes()
    faulty = Bench(
        arguments=("bench", "second"),
        figures=lambda data: {"ratio": Figure(value=1.0), "wrong elements": Figure(value=7, floor=0)},
        tables=lambda data: data,
    )
    monkeypatch.setitem(bench_all.BENCHES, "second", faulty)
    result = systolith("bench", "all", "--file", path)
    assert result.code == 1
    assert "new, missed" in result.out
    assert "second: wrong results, the figures are not kept" in result.err
    assert path.read_bytes() == kept


def test_bench_all_only(systolith, answers, tmp_path):
    """The others stay as they are, in their order."""
    path = tmp_path / "ratios.json"
    systolith("bench", "all", "--file", path, "--only", "second")
    systolith("bench", "all", "--file", path, "--only", "first")
    assert list(json.loads(path.read_text(encoding="utf-8"))) == ["first", "second"]
    assert len(answers["calls"]) == 2


def test_bench_all_without_file(systolith, answers):
    answers["second"] = 2.0
    result = systolith("bench", "all", "--json")
    assert result.code == 0
    assert [change["old"] for change in result.json["changes"]] == [None, None]


@pytest.mark.parametrize(
    ("answer", "told"),
    [('{"error": "no compiler"}', "bench second: no compiler"), ("", "it ended with exit code 3")],
)
def test_bench_all_cannot_measure(systolith, answers, tmp_path, answer, told):
    """What was measured before is kept."""
    answers["second"] = answer
    path = tmp_path / "ratios.json"
    result = systolith("bench", "all", "--file", path, "--json")
    assert result.code == 1
    assert told in result.json["error"]
    assert list(json.loads(path.read_text(encoding="utf-8"))) == ["first"]


def test_bench_all_wrong(fails, answers, tmp_path):
    assert "must be one of first, second, not 'third'" in fails("bench", "all", "--only", "third")
    assert "there is no folder" in fails("bench", "all", "--file", tmp_path / "no" / "ratios.json")
    assert "--file" in fails("bench", "all", "--file", tmp_path)
    path = tmp_path / "ratios.json"
    path.write_text("[]", encoding="utf-8")
    assert "holds no figures" in fails("bench", "all", "--file", path)
    assert answers["calls"] == []


def test_call():
    """The program itself, in a process of its own."""
    answer = bench_all._call(("gemm", "-m", "1", "-k", "2", "-n", "3", "--target", "golden"))
    assert (answer["mismatches"], answer["elements"]) == (0, 3)
