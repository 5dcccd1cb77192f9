"""Where a large array's multipliers go on an ECP5: neighbours in the array are neighbours on the chip.

nextpnr moves logic to shorten its wires, but multipliers, of which few rows of the chip have any, only to
where there is a place. Left alone, it spreads an array that needs most of them over the whole width of the
part, with its logic far from it. To a smaller one it does better, together with its block RAM.
"""

import json
import re

__all__ = ["fix_multipliers", "multiplier_sites"]

BLOCKS = {"85k": ((10, 34, 58), (4, 13, 22, 31, 40, 49, 58, 69, 78, 87, 96, 105, 114))}
"""Rows of the chip that have DSP blocks, and the columns at which these begin, by nextpnr's name of the part.

On no smaller part is an array large.
"""

BLOCK = {(0, 0): 0, (1, 0): 1, (0, 1): 4, (1, 1): 5}
"""Row and column of an element in a square of four, and where in a DSP block its multiplier is.

A block has four clock enables. Elements take in their weights as many cycles later as they are to the right
and below, so that a square has three, and the fourth is the one that is always on.
"""

LARGE = 2 / 3
"""Share of the part's DSP blocks from which on an array is large."""

_ELEMENT = re.compile(r"\bpe_(\d+)_(\d+)\.multiplier$")


def multiplier_sites(rows, columns, device):
    """Sites for the multipliers of an array.

    Squares of two by two elements share a DSP block. Strips of squares, across the shorter side of the
    array, follow each other along a row of blocks, and on the next row in the other direction.

    Parameters
    ----------
    rows, columns : int
        Even.
    device : str
        nextpnr's name of the part.

    Returns
    -------
    dict of (int, int) to str
        Row and column of every element, and nextpnr's name of its site. Empty if the array is not large, or
        too large for such strips.
    """
    if device not in BLOCKS:
        return {}
    along_rows = rows > columns
    width, strips = (min(rows, columns) // 2, max(rows, columns) // 2)
    chip_rows, chip_columns = BLOCKS[device]
    strips_per_row = -(-strips // len(chip_rows))
    is_large = width * strips >= LARGE * len(chip_rows) * len(chip_columns)
    if not is_large or strips_per_row * width > len(chip_columns):
        return {}
    sites = {}
    for strip in range(strips):
        turn, place = divmod(strip, strips_per_row)
        for square in range(width):
            block = place * width + square
            if turn % 2:
                block = strips_per_row * width - 1 - block
            row, column = (strip, square) if along_rows else (square, strip)
            for (below, right), offset in BLOCK.items():
                sites[2 * row + below, 2 * column + right] = (
                    f"X{chip_columns[block] + offset}/Y{chip_rows[turn]}/MULT18_{offset}"
                )
    return sites


def fix_multipliers(netlist, device):
    """Give a large array's multipliers their sites.

    Parameters
    ----------
    netlist : Path
        What Yosys wrote with ``write_json``; written anew.
    device : str
        nextpnr's name of the part.
    """
    design = json.loads(netlist.read_text(encoding="utf-8"))
    cells = {
        (int(match[1]), int(match[2])): cell
        for module in design["modules"].values()
        for name, cell in module["cells"].items()
        if cell["type"] == "MULT18X18D" and (match := _ELEMENT.search(name))
    }
    if not cells:
        return
    rows, columns = (1 + max(places) for places in zip(*cells, strict=True))
    sites = multiplier_sites(rows, columns, device)
    for place, site in sites.items():
        cells[place]["attributes"]["BEL"] = site
    if sites:
        netlist.write_text(json.dumps(design), encoding="utf-8")
