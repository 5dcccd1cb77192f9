"""Whether an array fits a board, and the largest that does."""

import collections
import json
import re

from .report import sum_utilization
from .tools import FlowError

__all__ = ["check_fit", "check_netlist", "check_used", "largest_array", "needs"]

SIZES = (2, 4, 8, 16, 32, 64)

PRODUCTS_PER_LANE = 2
"""Multiplications in a lane of the epilogue that is not serial."""

LUT_BASE = 4300
"""Lookup tables of an accelerator and its link without what grows with the array."""

LUT_PER_ELEMENT = 20
LUT_PER_COLUMN = 190
LUT_PER_LANE = 900
LUT_OF_SERIAL_LANE = 250
"""What an element, a column's accumulators and packing, and a lane of the epilogue add, about."""

LUT_OF_QUEUES = 700
"""What jobs take that wait for their units: with more than two descriptors in flight."""

CERTAIN = 1.5
"""Beyond this multiple of what there is, an estimate needs no proof."""

_UTILIZATION = re.compile(r"^Info:\s+(\S+):\s+(\d+)/\s*(\d+)\s+\d+%", re.MULTILINE)


def needs(board, config):
    """What an array takes of a board: multipliers exactly, lookup tables about.

    Parameters
    ----------
    board : Board
    config : ArrayConfig

    Returns
    -------
    dict of str to int
    """
    vendor = board.vendor
    elements = config.rows * config.columns
    lanes = config.epilogue_lanes if config.lane_cycles == 1 else 0
    luts = LUT_BASE + LUT_PER_ELEMENT * elements + LUT_PER_COLUMN * config.columns
    luts += LUT_PER_LANE * lanes if lanes else LUT_OF_SERIAL_LANE
    luts += LUT_OF_QUEUES if config.descriptor_slots > 2 else 0
    return {
        "DSP": -(-elements * vendor.multipliers_per_pair // 2)
        + vendor.multipliers_per_product * PRODUCTS_PER_LANE * lanes,
        "LUT": round(luts * vendor.cells_per_lut),
    }


def largest_array(board):
    """By estimate the array of most elements that fits, as ``"RxC"``, or None.

    The squarest among equals.
    """
    fitting = []
    for rows in SIZES:
        for columns in SIZES:
            needed = needs(board, board.config(f"{rows}x{columns}"))
            if all(needed[name] <= board.capacity[name] for name in needed):
                fitting.append((rows * columns, -abs(rows - columns), -rows, f"{rows}x{columns}"))
    return max(fitting)[-1] if fitting else None


def check_fit(board, config):
    """Refuse at once what cannot fit.

    Raises
    ------
    FlowError
        If it cannot; says which resource is short, and the largest array that fits.
    """
    needed = needs(board, config)
    for name, limit in (("DSP", 1), ("LUT", CERTAIN)):
        if needed[name] > limit * board.capacity[name]:
            raise _unfit(board, config, name, needed[name], about="" if name == "DSP" else "about ")


def check_netlist(board, config, flow, file):
    """Refuse what synthesis found too large.

    Parameters
    ----------
    board : Board
    config : ArrayConfig
    flow : Flow
    file : Path
        What synthesis made.

    Raises
    ------
    FlowError
        If a resource is short.
    """
    netlist = json.loads(file.read_text(encoding="utf-8"))["modules"]["top"]
    types = collections.Counter(cell["type"] for cell in netlist["cells"].values())
    for name, taken in flow.cells.items():
        need = sum(
            count * number
            for kind, count in types.items()
            for begin, number in taken.items()
            if kind.startswith(begin)
        )
        if need > board.capacity[name]:
            raise _unfit(board, config, name, need)


def check_used(board, config, flow, log):
    """Refuse what nextpnr found too large.

    Parameters
    ----------
    board : Board
    config : ArrayConfig
    flow : Flow
    log : str
        nextpnr's.

    Raises
    ------
    FlowError
        If a resource is short.
    """
    counted = {match[1]: (int(match[2]), int(match[3])) for match in _UTILIZATION.finditer(log)}
    for name, (need, available) in sum_utilization(counted, flow.resources).items():
        if need > available:
            raise _unfit(board, config, name, need)


def _unfit(board, config, name, need, *, about=""):
    largest = largest_array(board)
    advice = "no array does"
    if largest is not None:
        advice = f"the largest that does is about {largest}"
    if name == "RAM":
        buffers = f"a{config.a_buffer_lines}, b{config.b_buffer_lines} and acc{config.accumulator_rows}"
        advice = f"smaller buffers than {buffers} take fewer, and so does a smaller array"
    elif largest == f"{config.rows}x{config.columns}":
        advice = "its epilogue lanes or descriptor slots are too many"
    return FlowError(
        f"array {config} does not fit {board.name}: it needs {about}{need} {name}, "
        f"the board has {board.capacity[name]}; {advice}"
    )
