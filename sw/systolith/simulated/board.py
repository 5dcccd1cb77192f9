"""A simulated board that other programs reach like a real one."""

from systolith_sim.simboard import BoardSetup, SimulatedBoard, build_board, serve

from .errors import translated_errors

__all__ = ["board_setup", "serve_board"]


def board_setup(config, **options):
    """What a simulated board is made of: a :class:`systolith_sim.simboard.BoardSetup`.

    Parameters
    ----------
    config : ArrayConfig
    **options
        Its other parameters.

    Raises
    ------
    ValueError
        If one is out of range.
    """
    return BoardSetup(config=config, **options)


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
