"""Runs SCALE-Sim under an interpreter of its own: ``python scale_sim_script.py FOLDER``.

The folder holds ``scale.cfg`` and, for each product, ``N.topology.csv`` and ``N.layout.csv``. What SCALE-Sim
answers is written to ``answers.json``. Needs the standard library and SCALE-Sim, nothing of ours.
"""

import contextlib
import csv
import importlib.metadata
import json
import sys
import time
from pathlib import Path

from scalesim.scale_sim import scalesim  # type: ignore[import-not-found, unused-ignore]


def answer(folder, number):
    """Cycles that SCALE-Sim computes for one product, and the processor time it takes."""
    start = time.process_time()
    run = scalesim(
        save_disk_space=True,
        verbose=False,
        config=str(folder / "scale.cfg"),
        topology=str(folder / f"{number}.topology.csv"),
        layout=str(folder / f"{number}.layout.csv"),
        input_type_gemm=True,
    )
    run.run_scale(top_path=str(folder / str(number)))
    seconds = time.process_time() - start
    (report,) = (folder / str(number)).rglob("COMPUTE_REPORT.csv")
    with report.open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file, skipinitialspace=True)
    cycles, stalls = (round(float(row[name])) for name in ("Total Cycles", "Stall Cycles"))
    return {"cycles": cycles, "stall_cycles": stalls, "cpu_seconds": seconds}


def main():
    """Answer for every product in the folder."""
    folder = Path(sys.argv[1])
    count = len(list(folder.glob("*.topology.csv")))
    # SCALE-Sim prints whatever it is told.
    with contextlib.redirect_stdout(sys.stderr):
        answers = [answer(folder, number) for number in range(count)]
    result = {"version": importlib.metadata.version("scalesim"), "answers": answers}
    (folder / "answers.json").write_text(json.dumps(result), encoding="utf-8")


if __name__ == "__main__":
    main()
