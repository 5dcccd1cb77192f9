"""The netlist of a whole board, behind its link."""

from pathlib import Path

from systolith_sim.cache import Cache, default_cache_folder
from systolith_sim.model import design_key

from .subject import find_subject
from .synthesis import synthesize

__all__ = ["board_netlist"]

TOP = "board"
DESIGN = "board.il"


def board_netlist(setup, *, cache=None, progress=None):
    """What is synthesized for a board, without its PLL and its pads, and the models of its cells.

    Parameters
    ----------
    setup : systolith_sim.simboard.BoardSetup
        With a part, and memory on the chip.
    cache, progress
        As for :func:`~systolith_sim.model.build_model`.

    Returns
    -------
    str
        Verilog with the ports of a :class:`systolith_hw.board.BoardTop`, top module ``board``.

    Raises
    ------
    ValueError
        If there is no such part.
    BuildError
        If a tool is missing, or refuses its input.
    """
    subject = find_subject(setup.part)
    models = subject.family.models()

    def build(folder):
        if progress:
            progress(f"emitting a board: {setup}")
        (folder / DESIGN).write_text(_emit(setup, subject.board.vendor), encoding="utf-8")

    store = Cache(cache or default_cache_folder())
    # The text for people does not tell of everything.
    key = design_key("board", repr(setup), Path(__file__).read_bytes())
    design = (store.fetch("rtlil", key, build) / DESIGN).read_text(encoding="utf-8")
    netlist = synthesize(design, board=subject.board, top=TOP, cache=cache, progress=progress)
    return f"{models}\n{netlist}"


def _emit(setup, vendor):
    from amaranth.back import rtlil  # noqa: PLC0415
    from systolith_hw.board import BoardTop  # noqa: PLC0415

    board = BoardTop(
        setup.config,
        memory=vendor.ram(memory_bytes=setup.memory_bytes, data_bits=setup.config.axi_data_bits),
        clock_hz=setup.clock_hz,
        baud=setup.baud,
        queue_bytes=setup.queue_bytes,
        bus_registers=setup.bus_registers,
        lowering=vendor.lowering,
    )
    return rtlil.convert(board, name=TOP, emit_src=False)
