"""systolith export."""

import pytest
from systolith import ArrayConfig


@pytest.fixture
def verilog(monkeypatch):
    import systolith.simulated

    monkeypatch.setattr(
        systolith.simulated, "emit_verilog", lambda config, progress: f"// {config}\nmodule\n"
    )


def test_export(systolith, verilog, tmp_path):
    file = tmp_path / "top.v"
    result = systolith("export", "--verilog", file, "--array", "4x8", "--json")
    assert result.code == 0
    config = ArrayConfig(rows=4, columns=8)
    text = f"// {config}\nmodule\n"
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
def test_export_emits(systolith, tmp_path):
    file = tmp_path / "top.v"
    assert systolith("export", "--verilog", file, "--array", "2x2").code == 0
    text = file.read_text()
    for port in ("s_axil_awaddr", "m_axi_arvalid"):
        assert port in text


def test_export_wrong(fails, verilog, tmp_path):
    missing = tmp_path / "missing" / "top.v"
    assert fails("export", "--verilog", missing) == (
        f"Invalid value for --verilog: the folder {missing.parent} does not exist"
    )
    assert fails("export", "--verilog", tmp_path) == f"Invalid value for --verilog: {tmp_path} is a folder"
    assert fails("export", "--verilog", tmp_path / "top.v", "--lowering", "loops") == (
        "Invalid value for --lowering: the loop form is not built yet, only 'stock' is"
    )
    assert fails("export") == "Missing option '--verilog'."
    assert not list(tmp_path.iterdir())
