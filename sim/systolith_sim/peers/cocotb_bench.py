"""What runs inside the simulator that cocotb embeds Python in: a job, on cocotbext-axi's bus models.

The folder with the job and for its outcome is the plus argument ``folder``.
"""

import json
import logging
from pathlib import Path

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, RisingEdge, SimTimeoutError, with_timeout
from cocotb.utils import get_sim_time
from cocotbext.axi import AxiBus, AxiLiteBus, AxiLiteMaster, AxiRam

from systolith_sim.peers.job import Stopwatch

PERIOD_NS = 10
RESET_CYCLES = 4


@cocotb.test
async def run_job(dut):
    """Write the registers, wait for the interrupt, and note what that took."""
    folder = Path(cocotb.plusargs["folder"])
    job = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    image = np.load(folder / "image.npy")
    # A line for every transaction would take most of the time.
    logging.getLogger(f"cocotb.{dut._name}").setLevel(logging.WARNING)
    dut.rst.value = 1
    cocotb.start_soon(Clock(dut.clk, PERIOD_NS, unit="ns").start())
    registers = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axil"), dut.clk, dut.rst)
    memory = AxiRam(AxiBus.from_prefix(dut, "m_axi"), dut.clk, dut.rst, size=len(image))
    memory.write(0, image.tobytes())
    await ClockCycles(dut.clk, RESET_CYCLES)
    dut.rst.value = 0
    await ClockCycles(dut.clk, 2)
    start_ns = get_sim_time("ns")
    try:
        with Stopwatch() as stopwatch:
            for offset, value in job["writes"]:
                await registers.write_dword(offset, value)
            if not dut.irq.value:
                await with_timeout(RisingEdge(dut.irq), job["max_cycles"] * PERIOD_NS, "ns")
    except SimTimeoutError:
        outcome = {"error": f"irq is low after {job['max_cycles']} cycles"}
    else:
        outcome = {
            "cycles": round((get_sim_time("ns") - start_ns) / PERIOD_NS),
            "cpu_seconds": stopwatch.cpu_seconds,
            "wall_seconds": stopwatch.wall_seconds,
        }
    np.save(folder / "memory.npy", np.frombuffer(memory.read(0, len(image)), np.uint8))
    (folder / "outcome.json").write_text(json.dumps(outcome), encoding="utf-8")
