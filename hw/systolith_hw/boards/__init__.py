"""Boards, and how bitstreams for them are made."""

from .board import Board
from .table import BOARDS, find_board

__all__ = ["BOARDS", "Board", "find_board"]
