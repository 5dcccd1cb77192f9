"""systolith export."""

import os
import threading

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


def test_export_to_link(systolith, verilog, tmp_path):
    """What a link points to is written, whether it is there already or not; the link stays."""
    (tmp_path / "there").mkdir()
    file, link = tmp_path / "there" / "top.v", tmp_path / "link.v"
    link.symlink_to(file)
    for array in ("4x8", "8x4"):
        assert systolith("export", "--verilog", link, "--array", array).code == 0
        assert link.is_symlink()
        assert array in file.read_text()
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["link.v", "there", "top.v"]


def test_export_to_pipe(systolith, verilog, tmp_path):
    """What is no regular file is written to, not replaced."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()), daemon=True)
    reader.start()
    assert systolith("export", "--verilog", pipe, "--array", "4x8").code == 0
    reader.join(20)
    assert pipe.is_fifo()
    assert read[0].endswith("// stock\n")


def test_export_cannot_be_written(fails, verilog, tmp_path):
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    assert fails("export", "--verilog", loop) == (
        f"Invalid value for --verilog: {loop} cannot be written: Too many levels of symbolic links"
    )
    gone = tmp_path / "gone"
    gone.symlink_to(tmp_path / "missing" / "top.v")
    assert fails("export", "--verilog", gone) == (
        f"Invalid value for --verilog: {gone} cannot be written: No such file or directory"
    )
    long = tmp_path / ("x" * 300)
    assert fails("export", "--verilog", long).endswith(" cannot be written: File name too long")


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
