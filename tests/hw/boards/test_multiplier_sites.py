"""Where the array's multipliers go on the chip."""

import json
import re
from itertools import pairwise

import numpy as np
import pytest
from systolith_hw.boards.multiplier_sites import fix_multipliers, multiplier_sites

SHAPES = [("85k", 8, 16), ("85k", 16, 8), ("85k", 2, 64)]


def position(site):
    """Column and row of the chip of a site, and the number in its block."""
    x, y, number = re.fullmatch(r"X(\d+)/Y(\d+)/MULT18_([0145])", site).groups()
    return int(x), int(y), int(number)


@pytest.mark.parametrize(("device", "rows", "columns"), SHAPES)
def test_every_element_has_its_own_site(device, rows, columns):
    sites = multiplier_sites(rows, columns, device)
    assert sites.keys() == {(row, column) for row in range(rows) for column in range(columns)}
    assert len(set(sites.values())) == rows * columns


@pytest.mark.parametrize(("device", "rows", "columns"), SHAPES)
def test_a_block_has_no_more_than_four_clock_enables(device, rows, columns):
    """An element's is that of all elements which are as far from the first, and one is always on."""
    enables = {}
    for (row, column), site in multiplier_sites(rows, columns, device).items():
        x, y, number = position(site)
        enables.setdefault((x - number, y), {"on"}).add(row + column)
    assert len(enables) == rows * columns // 4
    assert all(len(block) <= 4 for block in enables.values())


def test_strips_turn_at_the_end_of_a_row():
    sites = multiplier_sites(8, 16, "85k")
    first_row = [position(sites[0, column])[:2] for column in range(0, 16, 2)]
    assert [y for _, y in first_row] == [10, 10, 10, 34, 34, 34, 58, 58]
    assert all(abs(a[0] - b[0]) <= 45 for a, b in pairwise(first_row)), "a strip far from the one before"


@pytest.mark.parametrize(("device", "rows", "columns"), [("85k", 16, 16), ("85k", 8, 8), ("25k", 4, 4)])
def test_an_array_is_left_alone_that_is_too_large_or_leaves_much_room(device, rows, columns):
    assert multiplier_sites(rows, columns, device) == {}


def test_only_the_elements_multipliers_are_fixed(tmp_path):
    element = "board.accelerator.array.pe_{}_{}"
    others = {
        "board.accelerator.epilogue.lanes.lane_0.multiplier_low": "MULT18X18D",
        f"{element.format(0, 0)}.psum": "TRELLIS_FF",
    }
    kinds = {f"{element.format(*place)}.multiplier": "MULT18X18D" for place in np.ndindex(8, 16)} | others
    cells = {name: {"type": kind, "attributes": {}} for name, kind in kinds.items()}
    netlist = tmp_path / "synthesized.json"
    netlist.write_text(json.dumps({"modules": {"top": {"cells": cells}}}))
    fix_multipliers(netlist, "85k")
    fixed = json.loads(netlist.read_text())["modules"]["top"]["cells"]
    assert {name for name, cell in fixed.items() if not cell["attributes"]} == others.keys()
    corner = [fixed[f"{element.format(*place)}.multiplier"]["attributes"] for place in np.ndindex(2, 2)]
    assert corner == [{"BEL": f"X{4 + number}/Y10/MULT18_{number}"} for number in (0, 4, 1, 5)]


def test_a_design_without_an_array_is_left_alone(tmp_path):
    netlist = tmp_path / "synthesized.json"
    netlist.write_text('{"modules": {"top": {"cells": {}}}}')
    fix_multipliers(netlist, "85k")
    assert netlist.read_text() == '{"modules": {"top": {"cells": {}}}}'
