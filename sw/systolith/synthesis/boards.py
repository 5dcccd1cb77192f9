"""The boards, and what can be asked of them."""

from systolith.errors import TargetUnavailable

__all__ = ["board_facts", "board_names", "check_array", "check_board", "load_boards", "why_unfit"]


def load_boards():
    """The package that knows the boards.

    Raises
    ------
    TargetUnavailable
        If what it needs is not installed.
    """
    try:
        import systolith_hw.boards
    except ModuleNotFoundError as error:
        raise TargetUnavailable(
            f"boards need the Python module {error.name}: pip install 'systolith[fpga]'"
        ) from error
    return systolith_hw.boards


def board_facts():
    """Every board as plain data.

    Returns
    -------
    list of dict
    """
    return [
        {
            "board": board.name,
            "part": board.part,
            "clock_in_mhz": board.clock_in_hz / 1e6,
            "clock_mhz": board.clock_hz / 1e6,
            "memory_bytes": board.memory_bytes,
            "array": str(board.array),
            "link": board.link,
            "baud": board.baud,
            "capacity": board.capacity,
            "bitstream": board.flow in load_boards().FLOWS,
        }
        for board in load_boards().BOARDS.values()
    ]


def board_names():
    """The names of all boards, as a list."""
    return list(load_boards().BOARDS)


def check_board(name):
    """Refuse a board that there is not.

    Raises
    ------
    ValueError
    """
    load_boards().find_board(name)


def check_array(name, array):
    """The configuration for a board: what the text leaves open is the board's.

    Parameters
    ----------
    name : str
    array : str or None

    Returns
    -------
    ArrayConfig

    Raises
    ------
    ValueError
        If it is no configuration.
    """
    return load_boards().find_board(name).config(array)


def why_unfit(name, config):
    """What tells without synthesis that an array does not fit a board.

    Parameters
    ----------
    name : str
    config : ArrayConfig

    Returns
    -------
    str or None
        The resource that is short, and the largest array that fits; None if it may fit.
    """
    boards = load_boards()
    try:
        boards.check_fit(boards.find_board(name), config)
    except boards.FlowError as error:
        return str(error)
    return None
