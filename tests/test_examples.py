"""Every script in examples/ runs."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TABLE = ROOT / "examples" / "other_models.py"
SCRIPTS = sorted({*(ROOT / "examples").glob("*.py")} - {TABLE})


def run(script):
    """What a script prints, without a warning."""
    # What packages that are compiled at every import warn of is not ours.
    warnings = ["-W", "error", "-W", "ignore:invalid escape sequence"]
    command = [sys.executable, *warnings, str(script)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stdout
    return result.stdout


@pytest.mark.slow
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_example(script):
    run(script)


@pytest.mark.long
def test_table_of_other_models():
    """The documented table is what the script prints; the last digits of floats are the machine's."""
    printed = run(TABLE)
    documented = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
    rows = [line.rsplit("|", 2)[0] for line in printed.splitlines() if line.startswith("|")]
    assert len(rows) > 7
    assert [row for row in rows if row not in documented] == []


def test_examples_exist():
    assert SCRIPTS
