"""A simulated board by the name of a real one."""

from .setup import BoardSetup

__all__ = ["named_setup"]


def named_setup(name, *, config=None, memory_bytes=None, baud=None, netlist=False):
    """What a board's simulation is made of: its array, memory and clock.

    Parameters
    ----------
    name : str
        In :data:`systolith_hw.boards.BOARDS`.
    config : ArrayConfig or None
        As from :meth:`systolith_hw.boards.Board.config`. ``None``: the board's own.
    memory_bytes : int or None
        As for :class:`BoardSetup`. ``None``: as the board has it.
    baud : int or None
        Bits per second of the serial line. ``None``: the fastest that the clock allows, because a simulation
        spends most of its cycles on the line.
    netlist : bool
        Run what is synthesized for the board, with its vendor's cells; else the design, without them.

    Returns
    -------
    BoardSetup

    Raises
    ------
    ValueError
        If there is no such board, its netlist cannot be simulated, or something is out of range.
    ModuleNotFoundError
        If the boards' packages are not installed.
    """
    from systolith_hw.boards import find_board  # noqa: PLC0415 -- needs the extra fpga

    from systolith_sim.netlist import find_subject  # noqa: PLC0415 -- likewise

    board = find_board(name)
    if netlist:
        find_subject(name)
    memory = {"sdram": board.sdram, "memory_bytes": board.memory_bytes}
    if memory_bytes is not None:
        memory = {"memory_bytes": memory_bytes}
    return BoardSetup(
        config=config or board.array,
        clock_hz=board.clock_hz,
        baud=baud or board.clock_hz // 4,
        part=name if netlist else None,
        queue_bytes=board.queue_bytes,
        bus_registers=board.bus_registers,
        **memory,
    )
