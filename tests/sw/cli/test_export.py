"""systolith export."""

import pytest
from systolith import ArrayConfig


@pytest.fixture
def verilog(monkeypatch):
    import systolith.simulated

    monkeypatch.setattr(
        systolith.simulated,
        "emit_verilog",
        lambda config, lowering, progress: f"// {config}\n// {lowering}\n",
    )


def test_export(systolith, verilog, tmp_path):
    file = tmp_path / "top.v"
    result = systolith("export", "--verilog", file, "--array", "4x8", "--json")
    assert result.code == 0
    config = ArrayConfig(rows=4, columns=8)
    text = f"// {config}\n// stock\n"
    assert file.read_text() == text
    assert result.json == {
        "file": str(file),
        "array": str(config),
        "lowering": "stock",
        "bytes": len(text),
        "lines": 2,
    }
    assert "2 lines" in systolith("export", "--verilog", file).out


@pytest.mark.slow
@pytest.mark.parametrize("lowering", ["stock", "loops"])
def test_export_emits(systolith, tmp_path, lowering):
    file = tmp_path / "top.v"
    assert systolith("export", "--verilog", file, "--array", "2x2", "--lowering", lowering).code == 0
    assert list(tmp_path.iterdir()) == [file]
    text = file.read_text()
    assert ("module systolith_loop_array" in text) == (lowering == "loops")
    for port in ("s_axil_awaddr", "m_axi_arvalid"):
        assert port in text


def test_export_wrong(fails, verilog, tmp_path):
    missing = tmp_path / "missing" / "top.v"
    assert fails("export", "--verilog", missing) == (
        f"Invalid value for --verilog: the folder {missing.parent} does not exist"
    )
    assert fails("export", "--verilog", tmp_path) == f"Invalid value for --verilog: {tmp_path} is a folder"
    assert fails("export") == "Missing option '--verilog'."
    assert not list(tmp_path.iterdir())
