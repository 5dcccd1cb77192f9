"""The compiled cycle model and its cache."""

import os
import subprocess
import sys

import pytest
from systolith_sim.cycles.compiled import is_compiled, load_model
from systolith_sim.errors import CacheError

PREDICT = """
from systolith_hw import ArrayConfig
from systolith_sim.cycles import predict, random_cases
config = ArrayConfig.parse("2x2")
print(predict(config, next(random_cases(config, seed=0)).descriptors)[0])
"""


def start(script, **environment):
    command = [sys.executable, "-W", "error", "-c", script]
    return subprocess.Popen(
        command, env=os.environ | environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.mark.slow
def test_compile_at_once(tmp_path):
    """Two processes compile it once; a third finds it."""
    environment = {"SYSTOLITH_CACHE": str(tmp_path), "NUMBA_DEBUG_CACHE": "1"}
    running = [start(PREDICT, **environment) for _ in range(2)]
    outputs = [process.communicate(timeout=240) for process in running]
    last = start(PREDICT, **environment)
    outputs.append(last.communicate(timeout=240))
    assert [process.returncode for process in (*running, last)] == [0, 0, 0], outputs
    results = {out.splitlines()[-1] for out, _ in outputs}
    assert len(results) == 1
    assert results.pop().startswith("Counters(compute=")
    assert sum("data saved" in out for out, _ in outputs) == 1
    assert "data loaded" in outputs[2][0]
    assert is_compiled(tmp_path)


def test_is_not_compiled(tmp_path):
    assert not is_compiled(tmp_path)


def test_cache_wrong(tmp_path):
    (tmp_path / "cycles").touch()
    with pytest.raises(
        CacheError, match=r"^the cache folder .*cycles.* cannot be used: .*SYSTOLITH_CACHE\.$"
    ):
        load_model(tmp_path)


@pytest.mark.parametrize("module", ["systolith_sim", "systolith_sim.cycles", "systolith"])
def test_import_does_not_load_numba(module):
    process = start(f"import sys, {module}; print('numba' in sys.modules)")
    assert process.communicate(timeout=60) == ("False\n", "")
