"""The documents: generated tables are fresh, links lead somewhere, nothing names one person's machine."""

import importlib.util
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")])

_FENCE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)(?:\s+\"[^\"]*\")?\)")
_HEADING = re.compile(r"^#+ +(?P<title>.+?) *$", re.MULTILINE)
_MACHINE_PATH = re.compile(r"(?<![\w.~/:-])/(?:work|home|root|Users|tmp|opt|mnt|srv|var)\b")


def generator():
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


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


def test_generated_tables_are_fresh():
    generate = generator()
    text = generate.DOCUMENT.read_text(encoding="utf-8")
    assert generate.render(text) == text, "run 'make docs'"


def test_generated_tables_become_stale(tmp_path, monkeypatch, capsys):
    generate = generator()
    stale = tmp_path / "architecture.md"
    fresh = generate.DOCUMENT.read_text(encoding="utf-8")
    stale.write_text(fresh.replace("| `0x04` |", "| `0x05` |"), encoding="utf-8")
    monkeypatch.setattr(generate, "DOCUMENT", stale)
    assert generate.main(["--check"]) == 1
    assert capsys.readouterr().err == "architecture.md is stale: run 'make docs'\n"
    assert stale.read_text(encoding="utf-8") != fresh
    assert generate.main([]) == 0
    assert stale.read_text(encoding="utf-8") == fresh
    assert generate.main(["--check"]) == 0


def test_render_wrong_marker():
    generate = generator()
    with pytest.raises(ValueError, match=r"^the markers must be one of each of \[.*\], not \['nothing'\]$"):
        generate.render("<!-- generated: nothing -->\n<!-- end -->\n")


def test_render_wrong_end():
    generate = generator()
    text = generate.DOCUMENT.read_text(encoding="utf-8")
    with pytest.raises(ValueError, match=r"^each marker must be followed by one '<!-- end -->'$"):
        generate.render(text.replace("<!-- end -->", "", 1))


def test_every_description_reaches_the_tables():
    """Nothing that the contract documents is left blank."""
    text = generator().DOCUMENT.read_text(encoding="utf-8")
    parameters = text.partition("<!-- generated: parameters -->")[2].partition("<!-- end -->")[0]
    assert not re.findall(r"\|\s*\|$", parameters, re.MULTILINE)
    assert "one row of A per cycle" in parameters
    assert "`ring_tail` have not all completed" in text
    assert "Unknown operation or a reserved bit set" in text


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
