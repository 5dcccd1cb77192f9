"""Runs cocotb's runner in a process of its own, which can be ended with all that it starts.

python -m systolith_sim.peers.cocotb_runner build|test JSON
"""

import json
import sys

from cocotb_tools.check_results import get_results
from cocotb_tools.runner import VerilatorControlFile, Verilog, get_runner


def build(verilog, control, arguments, folder, top):
    """Build the simulation of a Verilog file in a folder."""
    get_runner("verilator").build(
        sources=[VerilatorControlFile(control), Verilog(verilog)],
        build_args=arguments,
        build_dir=folder,
        hdl_toplevel=top,
        timescale=("1ns", "1ps"),
    )


def test(module, plusargs, build_folder, folder, top):
    """Run a module's tests in a simulation that was built."""
    results = get_runner("verilator").test(
        test_module=module,
        plusargs=plusargs,
        build_dir=build_folder,
        test_dir=folder,
        results_xml=f"{folder}/results.xml",
        hdl_toplevel=top,
        hdl_toplevel_lang="verilog",
        timescale=("1ns", "1ps"),
    )
    tests, failed = get_results(results)
    if tests != 1 or failed:
        sys.exit(f"{failed} of {tests} tests failed")


if __name__ == "__main__":
    run = build if sys.argv[1] == "build" else test
    run(**json.loads(sys.argv[2]))
