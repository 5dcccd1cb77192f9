"""Runs cocotb's runner in a process of its own, which can be ended together with all that it started.

python launch.py build|test JSON
"""

import json
import sys

from cocotb_tools.check_results import get_results
from cocotb_tools.runner import VerilatorControlFile, Verilog, get_runner


def build(simulator, sources, build_args, build_dir, top):
    tags = {".v": Verilog, ".vlt": VerilatorControlFile}
    get_runner(simulator).build(
        sources=[
            tag(source) for source in sources for suffix, tag in tags.items() if source.endswith(suffix)
        ],
        build_args=build_args,
        build_dir=build_dir,
        hdl_toplevel=top,
        timescale=("1ns", "1ps"),
    )


def test(simulator, module, testcase, plusargs, build_dir, test_dir, top):
    results = get_runner(simulator).test(
        test_module=module,
        testcase=testcase,
        plusargs=plusargs,
        build_dir=build_dir,
        test_dir=test_dir,
        results_xml=f"{test_dir}/results.xml",
        hdl_toplevel=top,
        hdl_toplevel_lang="verilog",
        timescale=("1ns", "1ps"),
    )
    tests, failed = get_results(results)
    print(f"{tests} tests, {failed} failed")
    return tests == 0 or failed > 0


if __name__ == "__main__":
    sys.exit({"build": build, "test": test}[sys.argv[1]](**json.loads(sys.argv[2])))
