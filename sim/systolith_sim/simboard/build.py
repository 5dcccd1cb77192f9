"""From a board to a shared library that holds it and the harness at its pins."""

import os
from pathlib import Path

from systolith_sim.cache import Cache, default_cache_folder
from systolith_sim.toolchain import find_toolchain
from systolith_sim.variant import Variant
from systolith_sim.verilation import SAID, verilated, verilation_key

from .emit import emitted_board

__all__ = ["build_board", "build_board_verilog"]

LIBRARY = "libboard.so"
TOP = "board"
HARNESS = Path(__file__).with_name("harness.cpp")


def build_board(setup, *, cache=None, progress=None):
    """The model of a board as a shared library, built if it is not in the cache.

    Parameters
    ----------
    setup : BoardSetup
    cache : path or None
        The cache folder; ``None`` means :func:`~systolith_sim.cache.default_cache_folder`.
    progress : callable or None
        Called with a line of text before anything that takes long.

    Returns
    -------
    pathlib.Path
        For :class:`~.board.SimulatedBoard`.

    Raises
    ------
    BuildError
        Its subclasses tell a missing tool, a tool's error and an unusable cache folder apart.
    ValueError
        If there is no such board.
    """
    find_toolchain()
    if setup.part is not None:
        from systolith_sim.netlist import board_netlist  # noqa: PLC0415 -- needs the extra fpga

        verilog = board_netlist(setup, cache=cache, progress=progress)
    else:
        verilog = emitted_board(setup, cache=cache)
    return build_board_verilog(
        verilog, name=str(setup), is_netlist=setup.part is not None, cache=cache, progress=progress
    )


def build_board_verilog(verilog, *, name="a design", is_netlist=False, cache=None, progress=None):
    """As :func:`build_board`, for any Verilog with the ports of a board and the top module ``board``.

    Parameters
    ----------
    verilog : str
    name : str
        What ``progress`` is told.
    is_netlist : bool
        It consists of single bits, which take long to compile and gain nothing by it.
    """
    toolchain = find_toolchain()
    store = Cache(cache or default_cache_folder())
    variant = Variant.QUICK if is_netlist else Variant.FAST
    optimization = "-O1" if is_netlist else "-O2"

    def build(folder):
        if progress:
            progress(f"building a simulated board: {name}")
        with verilated(
            verilog,
            beside=folder.parent,
            top=TOP,
            harness=[HARNESS],
            verilator_flags=variant.verilator_flags,
            compiler_flags=variant.compiler_flags,
            toolchain=toolchain,
            cache=store,
            jobs=len(os.sched_getaffinity(0)),
        ) as model:
            # Twice as fast: nearly always the line is silent.
            model.follow_inputs_if(
                "board_inputs_changed", declarations="extern thread_local bool board_inputs_changed;\n"
            )
            model.compile(optimization)
            model.link(folder / LIBRARY)

    flags = [optimization, *variant.verilator_flags, *variant.compiler_flags]
    key = verilation_key(verilog, toolchain=toolchain, flags=flags, sources=[HARNESS, SAID, Path(__file__)])
    return store.fetch("board", key, build) / LIBRARY
