"""Where cells are, whose they are, and the pictures of it."""

import json

import numpy as np
import pytest
from matplotlib.colors import to_hex, to_rgb
from matplotlib.image import imread
from systolith_hw.boards import floorplan
from systolith_hw.boards.chart import draw_resources
from systolith_hw.boards.colours import GROUP_COLOURS
from systolith_hw.boards.components import GROUPS, LINK, OTHER
from systolith_hw.boards.flow import FLOWS
from systolith_hw.boards.pictures import FLOORPLAN, RESOURCES, draw_pictures
from systolith_hw.boards.placement import ELEMENTS, FEEDERS, read_placement

ARRAY = "board.accelerator.array"


def cell(kind, bel, inputs=(), outputs=()):
    ports = {f"I{i}": ("input", bit) for i, bit in enumerate(inputs)}
    ports |= {f"O{i}": ("output", bit) for i, bit in enumerate(outputs)}
    return {
        "type": kind,
        "attributes": {"NEXTPNR_BEL": bel} if bel else {},
        "port_directions": {name: direction for name, (direction, _) in ports.items()},
        "connections": {name: [bit] for name, (_, bit) in ports.items()},
    }


@pytest.fixture
def write(tmp_path):
    """Write cells and nets as nextpnr does."""

    def write(cells, nets=(), **settings):
        file = tmp_path / "placed.json"
        netnames = {name: {"bits": bits} for name, bits in dict(nets).items()}
        module = {"settings": settings, "cells": cells, "netnames": netnames}
        file.write_text(json.dumps({"modules": {"top": module}}), encoding="utf-8")
        return file

    return write


def groups(placement):
    return {cell.name: cell.group for cell in placement.cells}


@pytest.mark.parametrize(
    ("bel", "place"),
    [
        ("X12/Y34/SLICEA.FF0", (12, 34, "SLICEA.FF0")),
        ("X1/Y2/lc3", (1, 2, "lc3")),
        ("X4Y23/DFF3", (4, 23, "DFF3")),
        ("X60/Y13/MULT18_0", (60, 13, "MULT18_0")),
    ],
)
def test_places(write, bel, place):
    [found] = read_placement(write({"a": cell("LUT", bel), "nowhere": cell("LUT", "")})).cells
    assert (found.x, found.y, found.place) == place


@pytest.mark.parametrize(
    ("name", "group"),
    [
        (f"{ARRAY}.pe_1_2.product_MULT18X18D_P0", ELEMENTS),
        (f"{ARRAY}.skew_LUT4_Z", ELEMENTS),
        ("board.accelerator.row_feeder.a_TRELLIS_FF_Q_3", FEEDERS),
        ("board.accelerator.weight_feeder.loop.k_index", FEEDERS),
        ("board.accelerator.accumulators$340.column_1.rows.0.0", "accumulators"),
        ("board.accelerator.epilogue.lanes.result_TRELLIS_FF_Q", "epilogue"),
        ("board.accelerator.b_buffer.memory.0.0", "buffers"),
        ("board.accelerator.read_dma.pending.fifo.storage.0.1", "DMA"),
        ("board.accelerator.fetch.block_lines_LUT4", "control"),
        ("board.memory.memory.0.5", "memory"),
        ("board.uart_receiver.timer.cycles_TRELLIS_FF_Q_3", LINK),
        ("pll_0", OTHER),
    ],
)
def test_groups_by_name(write, name, group):
    assert groups(read_placement(write({name: cell("LUT", "X1/Y1/SLICEA.K0")}))) == {name: group}


def test_groups_have_colours():
    assert set(GROUP_COLOURS) == set(GROUPS) - {"array"} | {ELEMENTS, FEEDERS, LINK, OTHER}


def test_group_by_net_that_is_driven(write):
    cells = {"$abc$1": cell("LUT", "X1/Y1/lc0", inputs=[3], outputs=[4])}
    nets = {"board.bridge.x": [3], f"{ARRAY}.pe_0_0.sum": [4]}
    assert groups(read_placement(write(cells, nets))) == {"$abc$1": ELEMENTS}


def test_group_by_neighbours(write):
    """Through one that has no name itself; a clock says nothing."""
    cells = {
        "board.bridge.a": cell("LUT", "X1/Y1/lc0", inputs=[9], outputs=[1]),
        "board.bridge.b": cell("LUT", "X1/Y1/lc1", inputs=[9], outputs=[1]),
        f"{ARRAY}.c": cell("LUT", "X1/Y1/lc2", inputs=[1, 9]),
        "$near": cell("LUT", "X1/Y1/lc3", inputs=[1], outputs=[2]),
        "$far": cell("LUT", "X1/Y1/lc4", inputs=[2, 9]),
        "$clock": cell("SB_GB", "X0/Y0/gb", outputs=[9]),
    }
    cells |= {f"board.memory.{i}": cell("LUT", f"X2/Y{i}/lc0", inputs=[9]) for i in range(40)}
    nets = {"board.accelerator.a_buffer.clk": [9]}
    found = groups(read_placement(write(cells, nets)))
    assert (found["$near"], found["$far"], found["$clock"]) == (LINK, LINK, OTHER)


def test_pll_is_no_components(write):
    """It has a name; that of the clock is one of the components'."""
    cells = {"pll_0": cell("EHXPLLL", "X1/Y1/EHXPLL_LL", outputs=[1]), "$lost": cell("LUT", "X1/Y2/lc0", [1])}
    assert groups(read_placement(write(cells, {f"{ARRAY}.clk": [1]}))) == {"pll_0": OTHER, "$lost": OTHER}


def test_size(write):
    cells = {"a": cell("LUT", "X3/Y5/lc0")}
    known = read_placement(write(cells, **{"arch.name": "ice40", "arch.type": "up5k"}))
    assert (known.columns, known.rows, known.y_upwards) == (26, 32, True)
    unknown = read_placement(write(cells, **{"arch.name": "ecp5", "arch.type": "lfe5u_1f"}))
    assert (unknown.columns, unknown.rows, unknown.y_upwards) == (4, 6, False)
    gowin = read_placement(write(cells, **{"arch.type": " ", "packer.chipdb": "GW1N-9C"}))
    assert (gowin.columns, gowin.rows) == (47, 29)


def test_not_placed(write):
    file = write({"a": cell("LUT", "")})
    with pytest.raises(ValueError, match=r"placed\.json holds no placed design$"):
        read_placement(file)


def test_shares(write):
    cells = {
        "board.bridge.a": cell("LUT4", "X1/Y1/lc0"),
        f"{ARRAY}.pe_0_0.b": cell("LUT4", "X1/Y1/lc1"),
        f"{ARRAY}.pe_0_0.c": cell("LUT4", "X1/Y1/lc2"),
        f"{ARRAY}.pe_0_0.d": cell("MULT", "X1/Y2/MULT18_0"),
    }
    shares = read_placement(write(cells)).shares({"LUT": {"LUT4": 1}, "DSP": {"MULT": 1}, "RAM": {"EBR": 1}})
    assert shares == {"LUT": {LINK: 1, ELEMENTS: 2}, "DSP": {ELEMENTS: 1}, "RAM": {}}


def test_shares_by_place(write):
    """Gowin's lookup tables have a type for each size."""
    cells = {
        "board.bridge.a": cell("LUT2", "X1Y1/LUT7"),
        "board.bridge.b": cell("LUT4", "X1Y1/LUT0"),
        "board.bridge.c": cell("DFFR", "X1Y1/DFF0"),
        "board.bridge.d": cell("DP", "X1Y1/BSRAM"),
        "board.bridge.e": cell("ALU", "X1Y1/ALU3"),
        "board.bridge.f": cell("MULT9X9", "X5Y1/MULT9X900"),
        "board.bridge.g": cell("MULT18X18", "X5Y1/MULT18X1801"),
    }
    shares = read_placement(write(cells)).shares(FLOWS["gowin"].resources)
    assert shares == {"LUT": {LINK: 3}, "FF": {LINK: 1}, "RAM": {LINK: 1}, "DSP": {LINK: 3}}


def test_logic_pixels(write):
    cells = {
        "board.bridge.a": cell("LUT", "X1/Y0/SLICEB.K1"),
        "board.memory.a": cell("FF", "X1/Y0/SLICEB.FF0"),
        f"{ARRAY}.pe_0_0.a": cell("FF", "X0/Y0/SLICED.FF1"),
        f"{ARRAY}.pe_0_1.a": cell("FF", "X0/Y0/SLICEA.FF1"),
        "x": cell("MULT18X18D", "X2/Y0/MULT18_0"),
    }
    pixels = floorplan._logic(read_placement(write(cells)))
    drawn = {
        (row, column): to_hex(pixel)
        for row, line in enumerate(pixels)
        for column, pixel in enumerate(line)
        if to_hex(pixel) != floorplan.EMPTY
    }
    lighter = drawn.pop((0, 3))
    assert lighter not in GROUP_COLOURS.values()
    assert drawn == {
        (1, 5): GROUP_COLOURS[LINK],
        (1, 6): GROUP_COLOURS["memory"],
        (3, 3): GROUP_COLOURS[ELEMENTS],
    }


@pytest.mark.parametrize(
    ("place", "slots"),
    [
        ("lc5", [(2, 2), (2, 3)]),
        ("LUT7", [(3, 1)]),
        ("ALU0", [(0, 0)]),
        ("DFF4", [(2, 2)]),
        ("SLICEC.RAMW", []),
        ("EBR2", []),
        ("io0", []),
    ],
)
def test_slots(place, slots):
    assert floorplan._slots(place) == slots


def test_pictures(write, tmp_path):
    cells = {
        f"{ARRAY}.pe_0_0.a": cell("TRELLIS_FF", "X40/Y30/SLICEA.FF1"),
        "board.memory.memory.0.0": cell("DP16KD", "X20/Y25/EBR0"),
        "board.memory.memory.0.1": cell("DP16KD", "X20/Y25/EBR1"),
    }
    file = write(cells, **{"arch.name": "ecp5", "arch.type": "lfe5u_25f"})
    draw_pictures(
        file,
        tmp_path,
        table={"FF": (1, 24288), "RAM": (2, 56), "SPRAM": (0, 0)},
        resources=FLOWS["ecp5"].resources,
        title="a board, 2×2",
    )
    for name in (FLOORPLAN, RESOURCES):
        picture = imread(tmp_path / name)
        wanted = np.array(to_rgb(GROUP_COLOURS["memory"]))
        assert (abs(picture[..., :3] - wanted).max(axis=-1) < 1 / 512).sum() > 20
        assert (tmp_path / name).stat().st_size < 2e6


def test_resources_without_shares(tmp_path):
    file = tmp_path / "chart.svg"
    draw_resources({"LUT": (5280, 5280), "DSP": (0, 8)}, file)
    text = file.read_text(encoding="utf-8")
    assert "5,280 of 5,280 (100 %)" in text
    assert "0 of 8 (0 %)" in text
