"""Boards, and how bitstreams for them are made."""

from systolith_hw.vendor import ClockError

from .board import Board
from .build import Build, TimingError, build, emit
from .fit import check_fit, largest_array
from .flow import FLOWS
from .table import BOARDS, find_board
from .tools import FlowError, MissingToolError

__all__ = [
    "BOARDS",
    "FLOWS",
    "Board",
    "Build",
    "ClockError",
    "FlowError",
    "MissingToolError",
    "TimingError",
    "build",
    "check_fit",
    "emit",
    "find_board",
    "largest_array",
]
