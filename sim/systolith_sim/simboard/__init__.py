"""A whole board in simulation, from the pins of its serial line."""

from .board import SimulatedBoard
from .build import build_board
from .setup import BoardSetup
from .terminal import serve

__all__ = ["BoardSetup", "SimulatedBoard", "build_board", "serve"]
