"""SCALE-Sim, an analytical simulator of systolic arrays, on the same shapes and array.

It needs an older NumPy than ours, so that it runs under an interpreter of its own.
"""

import dataclasses
import json
import os
import subprocess
import tempfile
from pathlib import Path

from systolith_hw.config import ACCUMULATOR_BITS

from systolith_sim.errors import MissingToolError
from systolith_sim.process import run_all

__all__ = ["ScaleSimAnswer", "run_scale_sim", "scale_sim_configuration"]

_SCRIPT = Path(__file__).with_name("scale_sim_script.py")
_REMEDY = "make an environment for it: python3 -m venv FOLDER; FOLDER/bin/pip install scalesim 'numpy<2.4'"
_LAYOUT_COLUMNS = 24


@dataclasses.dataclass(frozen=True, kw_only=True)
class ScaleSimAnswer:
    """What SCALE-Sim says of one product.

    Members
    -------
    cycles : int
        Its "Total Cycles", which begin when the first operands are there.
    cpu_seconds : float
        Processor time it took.
    """

    cycles: int
    cpu_seconds: float


def scale_sim_configuration(config):
    """The configuration that is as near to ours as SCALE-Sim can be told.

    The array, weight-stationary; SRAMs of the sizes of our buffers; ``CALC``, in which memory never keeps the
    array waiting. (With ``USER`` and the width of our bus it reports many times the cycles.)

    Parameters
    ----------
    config : ArrayConfig

    Returns
    -------
    str
        The text of a configuration file.
    """
    accumulator_bytes = 2 * config.accumulator_rows * config.columns * ACCUMULATOR_BITS // 8
    sections = {
        "general": {"run_name": "products"},
        "architecture_presets": {
            "ArrayHeight": config.rows,
            "ArrayWidth": config.columns,
            "ifmapsramszkB": _kilobytes(config.a_buffer_lines * config.line_bytes),
            "filtersramszkB": _kilobytes(config.b_buffer_lines * config.line_bytes),
            "ofmapsramszkB": _kilobytes(accumulator_bytes),
            "IfmapOffset": 0,
            "FilterOffset": 10_000_000,
            "OfmapOffset": 20_000_000,
            "Bandwidth": config.bus_bytes,
            "Dataflow": "ws",
            "ReadRequestBuffer": config.outstanding,
            "WriteRequestBuffer": config.outstanding,
        },
        "layout": {
            f"{operand}{name}": value
            for operand in ("Ifmap", "Filter")
            for name, value in (
                ("CustomLayout", False),
                ("SRAMBankBandwidth", config.bus_bytes),
                ("SRAMBankNum", 1),
                ("SRAMBankPort", 1),
            )
        },
        "sparsity": {"SparsitySupport": "false"},
        "run_presets": {"InterfaceBandwidth": "CALC", "UseRamulatorTrace": False},
    }
    return "".join(
        f"[{section}]\n" + "".join(f"{name} = {value}\n" for name, value in values.items())
        for section, values in sections.items()
    )


def run_scale_sim(python, config, shapes):
    """Ask SCALE-Sim for the cycles of products.

    Parameters
    ----------
    python : str
        An interpreter with SCALE-Sim: a path, or a name to look for on PATH.
    config : ArrayConfig
    shapes : sequence of (int, int, int)
        M, K and N of each.

    Returns
    -------
    version : str
    answers : list of ScaleSimAnswer

    Raises
    ------
    MissingToolError
        If the interpreter cannot be started or has no SCALE-Sim.
    CompileError
        If SCALE-Sim fails.
    """
    # It runs in another folder, from which a relative path would lead elsewhere.
    python = str(Path(python).absolute()) if os.sep in python else python
    _check(python)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "scale.cfg").write_text(scale_sim_configuration(config), encoding="utf-8")
        for number, (m, k, n) in enumerate(shapes):
            topology = f"Layer,M,N,K,\nproduct,{m},{n},{k},\n"
            columns = range(_LAYOUT_COLUMNS)
            layout = f"Layer,{','.join(f'column{column}' for column in columns)},\n"
            layout += f"product,{','.join('1' for _ in columns)},\n"
            (folder / f"{number}.topology.csv").write_text(topology, encoding="utf-8")
            (folder / f"{number}.layout.csv").write_text(layout, encoding="utf-8")
        # It warns about its own use of NumPy.
        command = [python, "-W", "ignore", str(_SCRIPT), name]
        run_all([command], folder=folder, jobs=1)
        result = json.loads((folder / "answers.json").read_text(encoding="utf-8"))
    answers = [
        ScaleSimAnswer(cycles=each["cycles"], cpu_seconds=each["cpu_seconds"]) for each in result["answers"]
    ]
    return result["version"], answers


def _check(python):
    try:
        found = subprocess.run([python, "-c", "import scalesim"], capture_output=True, check=False)
    except OSError as error:
        raise MissingToolError(f"{python} cannot be started: {error.strerror}; {_REMEDY}") from None
    if found.returncode:
        raise MissingToolError(f"{python} has no SCALE-Sim: {_REMEDY}")


def _kilobytes(size):
    return max(1, size // 1024)
