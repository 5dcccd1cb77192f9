"""The design after synthesis, as cells of a part, running behind the same harness as the design itself."""

from .board import board_netlist
from .family import FAMILIES
from .model import build_netlist, open_netlist
from .subject import Subject, find_subject
from .synthesis import synthesize

__all__ = [
    "FAMILIES",
    "Subject",
    "board_netlist",
    "build_netlist",
    "find_subject",
    "open_netlist",
    "synthesize",
]
