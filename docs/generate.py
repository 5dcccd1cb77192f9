"""Write the tables of the documents that are made from something else: the contract, or measured figures.

A table stands between ``<!-- generated: NAME -->`` and ``<!-- end -->``; what is between is replaced. With
``--check`` nothing is written, and the exit code is 1 if anything would change.
"""

import argparse
import pathlib
import re
import sys
from collections.abc import Callable, Mapping, Sequence

from doc_tables import contract, link, performance

__all__ = ["DOCUMENTS", "main", "render"]

FOLDER = pathlib.Path(__file__).parent
DOCUMENTS: dict[str, Mapping[str, Callable[[], str]]] = {
    "architecture.md": contract.TABLES,
    "boards.md": link.TABLES,
    "performance.md": performance.TABLES,
}
"""What each marker of a document stands for."""

_SECTION = re.compile(r"(?P<begin><!-- generated: (?P<name>\S+) -->\n).*?(?P<end><!-- end -->)", re.DOTALL)


def render(text: str, tables: Mapping[str, Callable[[], str]]) -> str:
    """``text`` with every generated table renewed.

    Raises
    ------
    ValueError
        If a marker names no table, a table has no marker or two, or a marker has no end.
    """
    found = re.findall(r"<!-- generated: (\S+) -->", text)
    if sorted(found) != sorted(tables):
        raise ValueError(f"the markers must be one of each of {sorted(tables)}, not {sorted(found)}")
    if len(_SECTION.findall(text)) != len(found) or text.count("<!-- end -->") != len(found):
        raise ValueError("each marker must be followed by one '<!-- end -->'")
    return _SECTION.sub(lambda match: f"{match['begin']}\n{tables[match['name']]()}\n{match['end']}", text)


def main(arguments: Sequence[str] | None = None) -> int:
    """Renew the documents, or check them; the exit code."""
    parser = argparse.ArgumentParser(description="Renew the generated tables of the documents.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if anything would change")
    check = parser.parse_args(arguments).check
    stale = 0
    for name, tables in DOCUMENTS.items():
        path = FOLDER / name
        before = path.read_text(encoding="utf-8")
        after = render(before, tables)
        if after == before:
            continue
        if check:
            print(f"{name} is stale: run 'make docs'", file=sys.stderr)
            stale = 1
        else:
            path.write_text(after, encoding="utf-8")
    return stale


if __name__ == "__main__":
    sys.exit(main())
