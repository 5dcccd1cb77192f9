"""Emission."""

import re
import subprocess
import sys
from pathlib import Path

from sim.copier import Copier
from systolith_hw import ArrayConfig
from systolith_sim import cached_verilog
from systolith_sim.emit import emit_component

SMALL = ArrayConfig(rows=2, columns=2, a_buffer_lines=32, b_buffer_lines=64, accumulator_rows=16)


def test_emit_component(copier_verilog):
    text = copier_verilog(64)
    assert text == emit_component(Copier(64))
    assert re.findall(r"^module (\w+)\(", text, re.MULTILINE) == ["systolith"]
    assert "src" not in text
    assert str(Path.home()) not in text
    assert str(Path(__file__).parents[2]) not in text


def test_cached_verilog(cache, tmp_path):
    """The second time the text comes from the cache, and Amaranth is not loaded."""
    text = cached_verilog(SMALL, cache=cache)
    assert "module systolith(" in text
    assert str(Path(__file__).parents[2]) not in text
    told = []
    assert cached_verilog(SMALL, cache=cache, progress=told.append) == text
    assert told == []
    script = f"""if True:
        import sys
        from systolith_hw import ArrayConfig
        from systolith_sim import cached_verilog
        text = cached_verilog(ArrayConfig.parse({str(SMALL)!r}), cache={str(cache)!r})
        print(len(text), "amaranth" in sys.modules)
        """
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert answer.split() == [str(len(text)), "False"]
    assert cached_verilog(SMALL, cache=tmp_path) == text
