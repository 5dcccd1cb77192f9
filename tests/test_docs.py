"""The documents: generated tables are fresh, links lead somewhere, nothing names one person's machine."""

import importlib.util
import json
import pathlib
import re

import pytest
from systolith.bench.figures import BENCHES, Figure
from systolith.bench.record import load_record

ROOT = pathlib.Path(__file__).parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")])

_FENCE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)(?:\s+\"[^\"]*\")?\)")
_HEADING = re.compile(r"^#+ +(?P<title>.+?) *$", re.MULTILINE)
_MACHINE_PATH = re.compile(r"(?<![\w.~/:-])/(?:work|home|root|Users|tmp|opt|mnt|srv|var)\b")


GENERATED = ("architecture.md", "boards.md", "performance.md")


@pytest.fixture
def generate(monkeypatch):
    """docs/generate.py, as if it were run."""
    monkeypatch.syspath_prepend(ROOT / "docs")
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def fresh(generate, name):
    return (generate.FOLDER / name).read_text(encoding="utf-8")


def anchors(text):
    """The fragments that a forge makes of the headings."""
    titles = [match["title"] for match in _HEADING.finditer(_FENCE.sub("", text))]
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def broken_links(path, text):
    """The relative links of a document that lead nowhere."""
    broken = []
    for match in _LINK.finditer(_FENCE.sub("", text)):
        target, _, fragment = match["target"].partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        linked = path.parent / target if target else path
        if not linked.exists() or (fragment and fragment not in anchors(linked.read_text(encoding="utf-8"))):
            broken.append(match["target"])
    return broken


def test_documents():
    assert {"README.md", "CHANGELOG.md", "architecture.md"} <= {path.name for path in DOCUMENTS}


def test_generated_documents(generate):
    assert tuple(generate.DOCUMENTS) == GENERATED


@pytest.mark.parametrize("name", GENERATED)
def test_generated_tables_are_fresh(generate, name):
    text = fresh(generate, name)
    assert generate.render(text, generate.DOCUMENTS[name]) == text, "run 'make docs'"


@pytest.mark.parametrize("name", GENERATED)
def test_generated_tables_become_stale(generate, tmp_path, monkeypatch, capsys, name):
    texts = {each: fresh(generate, each) for each in GENERATED}
    for each, text in texts.items():
        before, mark, after = text.partition("<!-- generated: ")
        stale = before + mark + after.replace("| --- |", "| ---- |", 1)
        (tmp_path / each).write_text(stale if each == name else text, encoding="utf-8")
    monkeypatch.setattr(generate, "FOLDER", tmp_path)
    assert generate.main(["--check"]) == 1
    assert capsys.readouterr().err == f"{name} is stale: run 'make docs'\n"
    assert fresh(generate, name) != texts[name]
    assert generate.main([]) == 0
    assert {each: fresh(generate, each) for each in GENERATED} == texts
    assert generate.main(["--check"]) == 0


def test_render_wrong_marker(generate):
    with pytest.raises(ValueError, match=r"^the markers must be one of each of \['a'\], not \['nothing'\]$"):
        generate.render("<!-- generated: nothing -->\n<!-- end -->\n", {"a": str})


def test_render_wrong_end(generate):
    text = fresh(generate, "architecture.md")
    with pytest.raises(ValueError, match=r"^each marker must be followed by one '<!-- end -->'$"):
        generate.render(text.replace("<!-- end -->", "", 1), generate.DOCUMENTS["architecture.md"])


def test_every_description_reaches_the_tables(generate):
    """Nothing that the contract documents is left blank."""
    text = fresh(generate, "architecture.md")
    parameters = text.partition("<!-- generated: parameters -->")[2].partition("<!-- end -->")[0]
    assert not re.findall(r"\|\s*\|$", parameters, re.MULTILINE)
    assert "one row of A per cycle" in parameters
    assert "`ring_tail` have not all completed" in text
    assert "Unknown operation or a reserved bit set" in text


def test_kept_figures():
    """Of every benchmark, by the command that measures it now, and no wrong result among them."""
    record = load_record(ROOT / "docs" / "ratios.json")
    assert {name: kept["command"] for name, kept in record.items()} == {
        name: bench.command for name, bench in BENCHES.items()
    }
    figures = [Figure(**figure) for kept in record.values() for figure in kept["figures"].values()]
    assert len(figures) > 40
    assert not any(figure.counts_faults for figure in figures)


def test_performance_shows_what_is_not_known(generate, tmp_path, monkeypatch):
    """A simulation that is not installed, and SCALE-Sim that was not asked, leave dashes."""
    from doc_tables import performance

    record = json.loads(performance.FIGURES.read_text(encoding="utf-8"))
    for row in record["sim"]["tables"]["rows"]:
        if row["simulation"] == "cocotb":
            row |= dict.fromkeys(name for name in row if name not in ("array", "simulation", "about", "work"))
            row["missing"] = "install it"
    for layer in record["cycles"]["tables"]["layers"]:
        layer |= dict.fromkeys(name for name in layer if name.startswith("scale_sim"))
        for row in layer["rows"]:
            row |= {"scale_sim_cycles": None, "scale_sim_error": None}
    path = tmp_path / "ratios.json"
    path.write_text(json.dumps(record), encoding="utf-8")
    monkeypatch.setattr(performance, "FIGURES", path)
    lines = {name: make().splitlines() for name, make in performance.TABLES.items()}
    assert any(
        "`cocotb`" in line and line.endswith("| – | – | – | – | – | – |") for line in lines["simulators"]
    )
    assert all(line.endswith("| – | – |") for line in lines["layer_products"][2:])
    assert all(" | – | " in line for line in lines["cycle_model"][2:])


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links(path):
    assert broken_links(path, path.read_text(encoding="utf-8")) == []


def test_links_wrong(tmp_path):
    path = tmp_path / "page.md"
    (tmp_path / "other.md").write_text("# A heading, with `code`\n", encoding="utf-8")
    text = (
        "[a](other.md) [b](missing.md) [c](other.md#a-heading-with-code) [d](other.md#no)\n"
        "[e](#here) [f](#gone)\n"
        "[g](https://example.org/missing.md)\n# Here\n```\n[h](missing-in-code.md)\n```\n"
    )
    path.write_text(text, encoding="utf-8")
    assert broken_links(path, text) == ["missing.md", "other.md#no", "#gone"]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_machine_paths(path):
    assert _MACHINE_PATH.findall(path.read_text(encoding="utf-8")) == []


def test_no_machine_paths_wrong():
    assert _MACHINE_PATH.findall("see /home/me/x and (/tmp/x) but not docs/work or https://a.b/home") == [
        "/home",
        "/tmp",
    ]
