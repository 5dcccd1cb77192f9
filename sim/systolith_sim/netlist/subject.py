"""Of which part a netlist is."""

import dataclasses

from systolith_sim.errors import MissingToolError

from .family import FAMILIES

__all__ = ["Subject", "find_subject"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Subject:
    """A board or a family of parts whose netlists run.

    Parameters
    ----------
    name : str
    board : systolith_hw.boards.Board
        The board itself, or one with a part of the family.
    """

    name: str
    board: object

    @property
    def family(self):
        """The family's :class:`~.family.Family`."""
        return FAMILIES[self.board.flow]

    @property
    def config(self):
        """The configuration that is built unless another is asked for."""
        return self.board.array


def find_subject(name):
    """The board of that name, or a board with a part of the family of that name.

    Parameters
    ----------
    name : str

    Returns
    -------
    Subject

    Raises
    ------
    ValueError
        If there is neither, or its netlist has no models.
    MissingToolError
        If the extra ``fpga`` is not installed.
    """
    boards = [board for board in _boards() if board.flow in FAMILIES]
    known = {board.name: board for board in boards}
    for board in boards:
        # The first board of a family stands for it.
        known.setdefault(board.flow, board)
    if name not in known:
        raise ValueError(f"no netlist of {name!r}; there are {', '.join(known)}")
    return Subject(name=name, board=known[name])


def _boards():
    try:
        from systolith_hw.boards import BOARDS  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise MissingToolError(
            f"the module {error.name} is not installed: pip install 'systolith[fpga]'"
        ) from error
    return BOARDS.values()
