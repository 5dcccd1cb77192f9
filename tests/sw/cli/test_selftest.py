"""``systolith selftest``."""

import pytest
from sw.selftest import board
from systolith.cli import selftest as command
from systolith.errors import ConfigurationMismatch, DeviceError
from systolith.selftest import CHECKS


@pytest.fixture
def boards(monkeypatch):
    """Have the command open a board of some kind, whatever it is asked for."""

    def install(kind):
        monkeypatch.setattr(command, "open_target", lambda *_, **__: board.open_board(kind))

    return install


def test_golden(systolith):
    result = systolith("selftest", "--target", "golden", "--array", "4x4", "--quick")
    assert result.code == 0
    assert result.out.startswith("target golden, array 4x4-")
    assert all(name in result.out for name in CHECKS)
    assert "the device works" in result.out
    assert result.err == "".join(f"{name} …\n" for name in CHECKS)


def test_json(systolith):
    result = systolith("selftest", "--target", "golden", "--array", "4x4", "--quick", "--seed", "7", "--json")
    data = result.json
    assert (data["target"], data["quick"], data["seed"], data["passed"]) == ("golden", True, 7, True)
    assert data["array"].startswith("4x4-axi32-")
    assert [check["name"] for check in data["checks"]] == list(CHECKS)
    assert {check["status"] for check in data["checks"]} == {"pass", "not applicable"}


def test_failure(systolith, boards):
    boards(board.WrongElement)
    result = systolith("selftest", "--quick")
    assert result.code == 1
    assert "the PE in row 2, column 5 made" in result.out
    assert "1 failed; the first is where to look: processing elements" in result.out
    data = systolith("selftest", "--quick", "--json").json
    assert not data["passed"]
    [failure] = [check for check in data["checks"] if check["status"] == "fail"]
    assert failure["figures"]["row"] == 2


@pytest.mark.parametrize(
    ("target", "text", "message"),
    [
        ("rtl", "{}", "the target rtl runs no bitstream"),
        ("serial:/dev/ttyNONE", "{}", "{file}: this is no manifest of a bitstream: "),
        ("serial:/dev/ttyNONE", None, "{file} cannot be read: No such file or directory"),
    ],
)
def test_manifest_wrong(fails, tmp_path, target, text, message):
    file = tmp_path / "manifest.json"
    if text is not None:
        file.write_text(text)
    told = fails("selftest", "--target", target, "--manifest", tmp_path)
    assert told.startswith("Invalid value for --manifest: " + message.format(file=file))


def test_another_device(systolith, monkeypatch):
    def refuse(target, array, *, manifest):
        raise ConfigurationMismatch({"id": (0x54535953, 0)})

    monkeypatch.setattr(command, "open_target", refuse)
    result = systolith("selftest", "--json")
    assert result.code == 1
    first, *others = result.json["checks"]
    assert first["status"] == "fail"
    assert "id must be 0x54535953, the device reports 0x00000000" in first["detail"]
    assert {check["detail"] for check in others} == {"not run: it is another device"}


def test_wrong(fails, monkeypatch):
    assert fails("selftest", "--target", "gold").startswith("target must be one of golden, ")
    assert "array must look like" in fails("selftest", "--array", "4by4")

    def refuse(target, array, *, manifest):
        raise DeviceError("nothing answers at /dev/ttyUSB0")

    monkeypatch.setattr(command, "open_target", refuse)
    assert fails("selftest", code=1) == "nothing answers at /dev/ttyUSB0"
