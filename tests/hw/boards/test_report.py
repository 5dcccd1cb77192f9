"""nextpnr's report in our terms."""

import json

import pytest
from systolith_hw.boards.components import component_of, group_of
from systolith_hw.boards.flow import FLOWS
from systolith_hw.boards.report import read_report, sum_utilization
from systolith_hw.boards.tools import FlowError

RESOURCES = {"LUT": {"TRELLIS_COMB": 1}, "DSP": {"MULT18X18D": 1}}


def hop(kind, delay, start, end):
    return {"type": kind, "delay": delay, "from": {"cell": start}, "to": {"cell": end}}


def write(folder, **changes):
    a, b = "board.accelerator.fetch.x_FF", "board.accelerator.fetch.y_LUT4"
    pe = "board.accelerator.array.pe_1_0.psum_FF"
    clock = "posedge clk"
    data = {
        "fmax": {
            "clk": {"achieved": 80.0, "constraint": 100.0},
            "slow": {"achieved": 50.0, "constraint": 12.0},
        },
        "utilization": {"TRELLIS_COMB": {"used": 70, "available": 100}},
        "critical_paths": [
            {"from": "<async>", "to": clock, "path": [hop("clk-to-q", 9.0, a, a)]},
            {
                "from": clock,
                "to": clock,
                "path": [
                    hop("clk-to-q", 0.5, a, a),
                    hop("routing", 1.0, a, b),
                    hop("logic", 0.25, b, b),
                    hop("routing", 2.0, b, pe),
                    hop("setup", 0.25, pe, pe),
                ],
            },
        ],
    }
    file = folder / "report.json"
    file.write_text(json.dumps(data | changes))
    return file


def test_report(tmp_path):
    report = read_report(write(tmp_path), resources=RESOURCES)
    assert report.used == {"LUT": 70, "DSP": 0}
    assert report.available == {"LUT": 100, "DSP": 0}
    assert (report.margin, report.slowest) == (0.8, "clk")
    steps = [(step.component, step.logic_ns, step.routing_ns) for step in report.critical.steps]
    assert steps == [("accelerator.fetch", 0.75, 1.0), ("accelerator.array.pe_1_0", 0.25, 2.0)]
    assert report.critical.delay_ns == 4.0
    assert report.critical.start.endswith("x_FF") and report.critical.end.endswith("psum_FF")


def test_utilization_of_several_elements():
    """Of Gowin's, a carry takes the place of a lookup table, a small memory that of four."""
    counted = {
        "LUT4": (100, 8640),
        "ALU": (20, 6480),
        "RAM16SDP4": (5, 270),
        "MULT9X9": (16, 40),
        "MULT18X18": (2, 20),
    }
    utilization = sum_utilization(counted, FLOWS["gowin"].resources)
    assert utilization == {"LUT": (140, 8640), "FF": (0, 0), "RAM": (0, 0), "DSP": (20, 40)}


def test_report_wrong(tmp_path):
    with pytest.raises(FlowError, match=r"^nextpnr's report tells of no clock$"):
        read_report(write(tmp_path, fmax={}), resources=RESOURCES)


@pytest.mark.parametrize(
    ("name", "component", "group"),
    [
        ("board.accelerator.array.pe_0_12.psum_TRELLIS_FF_Q", "accelerator.array.pe_0_12", "array"),
        ("board.accelerator.array.swap_1", "accelerator.array", "array"),
        ("board.accelerator.a_loader.loop.k_left", "accelerator.a_loader", "DMA"),
        ("board.bridge.header_FF", "bridge", "link"),
        ("board.memory.memory.0.0", "memory", "memory"),
        ("$nextpnr_CCU2C_153", "", "other"),
        ("pll_0", "", "other"),
    ],
)
def test_component(name, component, group):
    assert component_of(name) == component
    assert group_of(name) == group
