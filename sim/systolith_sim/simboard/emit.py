"""The Verilog of a board, without what only a real one has."""

import re
from pathlib import Path

from systolith_sim.cache import Cache, default_cache_folder
from systolith_sim.model import design_key

__all__ = ["emitted_board"]

SDRAM_CHIP = Path(__file__).with_name("sdram_chip.v")
SOURCES = (SDRAM_CHIP, Path(__file__).with_name("sdram.py"), Path(__file__))
"""What a board's Verilog depends on, beside the sources of every design."""
_ZERO = re.compile(r"^  initial begin\n(?:    \S+\[\d+\] = \d+'[dh]0+;\n)+  end\n", re.MULTILINE)
"""The first content of a memory: a simulated one is zero without being told so."""


def emitted_board(setup, *, cache=None):
    """The Verilog of a board, from the cache if it is there; top module ``board``.

    Parameters
    ----------
    setup : BoardSetup
    cache : path or None

    Returns
    -------
    str
    """

    def build(folder):
        (folder / "board.v").write_text(_emit(setup), encoding="utf-8")

    # The text for people does not tell of everything.
    key = design_key(repr(setup), *(source.read_bytes() for source in SOURCES))
    entry = Cache(cache or default_cache_folder()).fetch("board-verilog", key, build)
    return (entry / "board.v").read_text(encoding="utf-8")


def _emit(setup):
    # Amaranth takes half a second to load: only for what is not in the cache.
    from amaranth.back import verilog  # noqa: PLC0415
    from systolith_hw.board import BoardTop  # noqa: PLC0415

    from systolith_sim.loops import loop_lowering, loop_source  # noqa: PLC0415

    board = BoardTop(
        setup.config,
        memory=_memory(setup),
        clock_hz=setup.clock_hz,
        baud=setup.baud,
        queue_bytes=setup.queue_bytes,
        bus_registers=setup.bus_registers,
        lowering=loop_lowering(setup.config),
    )
    text = verilog.convert(board, name="board", emit_src=False, strip_internal_attrs=True)
    return _ZERO.sub("", text) + loop_source(setup.config) + SDRAM_CHIP.read_text(encoding="utf-8")


def _memory(setup):
    from systolith_hw.board.ram import OnChipRam  # noqa: PLC0415

    from .sdram import SimulatedSdram  # noqa: PLC0415

    data_bits = setup.config.axi_data_bits
    if setup.sdram is None:
        return OnChipRam(memory_bytes=setup.memory_bytes, data_bits=data_bits)
    return SimulatedSdram(setup.sdram, data_bits=data_bits, clock_hz=setup.clock_hz)
