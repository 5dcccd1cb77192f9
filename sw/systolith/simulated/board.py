"""A simulated board that other programs reach like a real one."""

from systolith_hw import ArrayConfig
from systolith_sim.simboard import BoardSetup, SimulatedBoard, build_board, named_setup, serve

from systolith.errors import TargetUnavailable

from .errors import translated_errors

__all__ = ["board_setup", "serve_board"]

DEFAULT_ARRAY = "4x4"


def board_setup(name=None, *, config=None, netlist=False, **options):
    """What a simulated board is made of: a :class:`systolith_sim.simboard.BoardSetup`.

    Parameters
    ----------
    name : str or None
        Of a real board, whose array, memory and clock it has.
    config : ArrayConfig or None
        Its array; ``None``: that of the named board, or of 4×4.
    netlist : bool
        Run what is synthesized for the named board.
    **options
        ``memory_bytes`` and ``baud``, where they are to be others than that board's or the default ones.

    Raises
    ------
    ValueError
        If there is no such board, or something is out of range.
    TargetUnavailable
        If the boards' packages are not installed.
    """
    if name is None:
        if netlist:
            raise ValueError("a netlist needs the name of a board")
        return BoardSetup(config=config or ArrayConfig.parse(DEFAULT_ARRAY), **options)
    try:
        return named_setup(name, config=config, netlist=netlist, **options)
    except ModuleNotFoundError as error:
        raise TargetUnavailable(
            f"boards need the Python module {error.name}: pip install 'systolith[fpga]'"
        ) from error


def serve_board(setup, *, error_rate=0.0, seed=0, ready=None, progress=None):
    """Build a board if need be, and offer it at a pseudo-terminal until the process is interrupted.

    Parameters
    ----------
    setup : BoardSetup
    error_rate, seed, ready
        As for :func:`systolith_sim.simboard.serve`.
    progress : callable or None
        Called with a line of text before anything that takes long.

    Raises
    ------
    TargetUnavailable
        If the model cannot be built: a tool is missing, or refuses its input.
    ProtocolError
        If the running model fails.
    """
    with translated_errors("a simulated board"):
        library = build_board(setup, progress=progress)
        with SimulatedBoard(library, setup) as board:
            serve(board, setup, error_rate=error_rate, seed=seed, ready=ready)
