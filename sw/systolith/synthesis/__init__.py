"""What uses the synthesis: the boards, their bitstreams, and loading them."""

from .bitstream import build_bitstream, line_baud, made_clock, write_project
from .boards import board_facts, board_names, check_array, check_board, why_unfit
from .errors import BuildFailed
from .program import program_board

__all__ = [
    "BuildFailed",
    "board_facts",
    "board_names",
    "build_bitstream",
    "check_array",
    "check_board",
    "line_baud",
    "made_clock",
    "program_board",
    "why_unfit",
    "write_project",
]
