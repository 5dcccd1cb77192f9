"""A whole board in simulation, from the pins of its serial line."""

from .board import SimulatedBoard
from .build import build_board, build_board_verilog
from .named import named_setup
from .setup import BoardSetup
from .terminal import serve

__all__ = ["BoardSetup", "SimulatedBoard", "build_board", "build_board_verilog", "named_setup", "serve"]
