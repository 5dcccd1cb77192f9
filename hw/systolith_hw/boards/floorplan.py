"""A picture of what is where on the chip."""

import collections
import re

from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from .colours import GROUP_COLOURS
from .components import OTHER
from .placement import ELEMENTS

__all__ = ["draw_floorplan"]

PIXELS = 4
"""A tile of logic is drawn as so many pixels in each direction: lookup tables left, flip-flops right."""

WIDTH_INCHES = 9.2
LEGEND_INCHES = 2.0
DOTS_PER_INCH = 150

EMPTY = "#f4f4f2"

BLOCKS = {
    "DP16KD": (2, 1),
    "MULT18X18D": (1, 1),
    "EHXPLLL": (1, 1),
    "ICESTORM_RAM": (1, 2),
    "ICESTORM_DSP": (1, 4),
    "ICESTORM_SPRAM": (1, 4),
    "ICESTORM_PLL": (1, 1),
    **dict.fromkeys(("DP", "DPB", "DPX9B", "SDP", "SDPB", "SDPX9B", "SP", "SPX9"), (3, 1)),
    **dict.fromkeys(("MULT9X9", "MULT18X18"), (1, 1)),
    "rPLL": (2, 1),
}
"""Columns and rows of tiles as which a block is drawn: memories, multipliers and PLLs, by nextpnr's type."""

_ELEMENT = re.compile(r"pe_(?P<row>\d+)_(?P<column>\d+)$")
_SLICE = re.compile(r"SLICE(?P<slice>[A-D])\.(?P<kind>K|FF)(?P<index>[01])")
_NUMBERED = re.compile(r"(?P<kind>lc|LUT|ALU|DFF)(?P<index>[0-7])")


def draw_floorplan(placement, path, *, title=""):
    """Draw every placed cell in the colour of its group of components; neighbouring PEs differ in shade.

    Parameters
    ----------
    placement : Placement
    path : Path
        The picture; its suffix says which kind.
    title : str
    """
    width = WIDTH_INCHES - LEGEND_INCHES
    height = width * placement.rows / placement.columns
    figure = Figure(figsize=(WIDTH_INCHES, height + 0.5), dpi=DOTS_PER_INCH)
    axes = figure.add_axes((0.01, 0.01, width / WIDTH_INCHES, height / (height + 0.5)))
    low, high = ("lower", 1) if placement.y_upwards else ("upper", -1)
    axes.imshow(
        _logic(placement),
        origin=low,
        extent=(0, placement.columns, *((0, placement.rows)[::high])),
        interpolation="nearest",
    )
    _draw_blocks(axes, placement)
    axes.set_xticks([])
    axes.set_yticks([])
    if title:
        axes.set_title(title, fontsize=10, loc="left")
    _draw_legend(figure, axes, placement)
    figure.savefig(path)


def _colour(cell):
    """Red, green and blue of a cell."""
    colour = to_rgb(GROUP_COLOURS.get(cell.group, GROUP_COLOURS[OTHER]))
    element = _ELEMENT.search(cell.component) if cell.group == ELEMENTS else None
    if element and (int(element["row"]) + int(element["column"])) % 2:
        colour = tuple(0.6 * part + 0.4 for part in colour)
    return colour


def _logic(placement):
    """Rows of pixels of red, green and blue: the logic cells of all tiles."""
    empty = to_rgb(EMPTY)
    pixels = [[empty] * (PIXELS * placement.columns) for _ in range(PIXELS * placement.rows)]
    for cell in placement.cells:
        colour = _colour(cell)
        for row, column in _slots(cell.place):
            pixels[PIXELS * cell.y + row][PIXELS * cell.x + column] = colour
    return pixels


def _slots(place):
    """Row and column of the pixels of a logic cell within its tile; none for what is no logic."""
    if match := _SLICE.fullmatch(place):
        left = 0 if match["kind"] == "K" else 2
        return [("ABCD".index(match["slice"]), left + int(match["index"]))]
    if match := _NUMBERED.fullmatch(place):
        row, column = divmod(int(match["index"]), 2)
        if match["kind"] == "lc":
            return [(row, 2 * column), (row, 2 * column + 1)]
        return [(row, column + (2 if match["kind"] == "DFF" else 0))]
    return []


def _draw_blocks(axes, placement):
    """Memories, multipliers and PLLs; those in one tile side by side."""
    by_tile = collections.defaultdict(list)
    for cell in placement.cells:
        if cell.kind in BLOCKS:
            by_tile[cell.x, cell.y].append(cell)
    for (x, y), cells in by_tile.items():
        for index, cell in enumerate(cells):
            columns, rows = BLOCKS[cell.kind]
            share = columns / len(cells)
            axes.add_patch(
                Rectangle(
                    (x + index * share, y),
                    share,
                    rows,
                    facecolor=_colour(cell),
                    edgecolor="white",
                    linewidth=0.5,
                )
            )


def _draw_legend(figure, axes, placement):
    counts = collections.Counter(cell.group for cell in placement.cells)
    handles = [
        Patch(facecolor=colour, label=f"{group} ({counts[group]:,})")
        for group, colour in GROUP_COLOURS.items()
        if counts[group]
    ]
    box = axes.get_position()
    figure.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(box.x1, box.y1),
        fontsize=8,
        frameon=False,
        title="cells",
    )
