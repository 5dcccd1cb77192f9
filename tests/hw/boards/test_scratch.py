"""Folders to work in: gone at the end, at the latest with the next one."""

import subprocess
import sys

import pytest
from systolith_hw.boards.scratch import scratch_folder

OTHER = """
import pathlib, time
from systolith_hw.boards.scratch import scratch_folder
with scratch_folder(pathlib.Path()) as scratch:
    (scratch / "file").touch()
    print(scratch.name, flush=True)
    time.sleep(1000)
"""


def test_scratch(tmp_path):
    (tmp_path / "kept").mkdir()
    with scratch_folder(tmp_path) as scratch:
        assert scratch.parent == tmp_path
        (scratch / "folder").mkdir()
        (scratch / "folder" / "file").touch()
    with pytest.raises(ZeroDivisionError), scratch_folder(tmp_path):
        raise ZeroDivisionError
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_killed(tmp_path):
    """The folder of a process that lives is left alone; when it has been killed, the next one removes it."""
    other = subprocess.Popen([sys.executable, "-c", OTHER], cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    try:
        name = other.stdout.readline().strip()
        with scratch_folder(tmp_path) as scratch:
            assert {path.name for path in tmp_path.iterdir()} == {name, scratch.name}
    finally:
        other.kill()
        other.communicate()
    assert (tmp_path / name / "file").exists()
    with scratch_folder(tmp_path) as scratch:
        assert list(tmp_path.iterdir()) == [scratch]
