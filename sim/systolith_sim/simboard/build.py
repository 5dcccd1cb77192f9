"""From a board to a shared library that holds it and the harness at its pins."""

import json
import os
import re
import tempfile
from pathlib import Path

from systolith_sim.cache import Cache, default_cache_folder, digest
from systolith_sim.model import design_key
from systolith_sim.process import run_all
from systolith_sim.toolchain import find_toolchain

__all__ = ["build_board", "build_board_verilog"]

LIBRARY = "libboard.so"
HARNESS = Path(__file__).with_name("harness.cpp")
SDRAM_CHIP = Path(__file__).with_name("sdram_chip.v")
EMITTING = (SDRAM_CHIP, Path(__file__).with_name("sdram.py"), Path(__file__))
"""Sources that a board's Verilog depends on, beside those of every design."""
VERILATOR_FLAGS = [
    *("--cc", "--top-module", "board", "--prefix", "Vboard", "--Mdir", ".", "--make", "json"),
    *("-O3", "--x-assign", "fast", "--x-initial", "fast", "--no-timing", "--timescale", "1ns/1ns"),
    *("--unroll-count", "0", "--output-split", "20000", "-Wno-fatal", "-Wno-lint", "-Wno-style"),
    # What a design itself calls an error is one.
    "-Werror-USERERROR",
]
NETLIST_FLAGS = ["--output-split-cfuncs", "200"]
COMPILER_FLAGS = [
    *("-std=c++17", "-fPIC", "-march=native", "-w", "-fno-gnu-unique"),
    *("-DVERILATOR=1", "-DVM_COVERAGE=0", "-DVM_SC=0", "-DVM_TRACE=0"),
    *("-DVL_TIME_CONTEXT", "-DVL_USER_FATAL"),
]
LINKER_FLAGS = ["-shared", "-Wl,-Bsymbolic"]
FAST, SLOW = "-O2", "-O0"
NETLIST = "-O1"
_FOLLOW_INPUTS = re.compile(r"(vlSelfRef\.__VicoFirstIteration = )1U;")
_ZERO = re.compile(r"^  initial begin\n(?:    \S+\[\d+\] = \d+'[dh]0+;\n)+  end\n", re.MULTILINE)
"""The first content of a memory: a simulated one is zero without being told so."""


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
        verilog = _emitted(setup, cache=cache)
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

    def build(folder):
        if progress:
            progress(f"building a simulated board: {name}")
        _build(verilog, folder, toolchain=toolchain, is_netlist=is_netlist)

    flags = [*VERILATOR_FLAGS, *NETLIST_FLAGS, *COMPILER_FLAGS, *LINKER_FLAGS, FAST, NETLIST, SLOW]
    sources = [source.read_bytes() for source in (HARNESS, Path(__file__))]
    key = digest(verilog, is_netlist, toolchain.identity, *flags, *sources)
    return Cache(cache or default_cache_folder()).fetch("board", key, build) / LIBRARY


def _emitted(setup, *, cache):
    def build(folder):
        (folder / "board.v").write_text(_emit(setup), encoding="utf-8")

    # The text for people does not tell of everything.
    key = design_key(repr(setup), *(source.read_bytes() for source in EMITTING))
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


def _build(verilog, folder, *, toolchain, is_netlist):
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        scratch = Path(scratch)
        environment = toolchain.environment | {"TMPDIR": str(scratch)}
        jobs = len(os.sched_getaffinity(0))
        (scratch / "board.v").write_text(verilog, encoding="utf-8")
        extra = NETLIST_FLAGS if is_netlist else []
        command = [toolchain.verilator, *VERILATOR_FLAGS, *extra, "board.v"]
        run_all([command], folder=scratch, jobs=1, environment=environment)
        sources = json.loads((scratch / "Vboard.json").read_text(encoding="utf-8"))["sources"]
        _follow_changed_inputs(map(Path, sources["classes_fast"]))
        include = toolchain.include_folder
        includes = ["-I.", f"-I{include}", f"-I{include / 'vltstd'}"]
        compiler = [toolchain.compiler, *COMPILER_FLAGS, *includes, "-c"]
        fast = [str(HARNESS), *sources["classes_fast"], *sources.get("support_fast", [])]
        slow = [*sources["classes_slow"], *sources.get("support_slow", []), *sources["global"]]
        commands = [[*compiler, NETLIST if is_netlist else FAST, source] for source in fast]
        commands += [[*compiler, SLOW, source] for source in slow]
        run_all(commands, folder=scratch, jobs=jobs, environment=environment)
        objects = [f"{Path(source).stem}.o" for source in fast + slow]
        link = [toolchain.compiler, *LINKER_FLAGS, "-o", str(folder / LIBRARY), *objects]
        run_all([link], folder=scratch, jobs=1, environment=environment)


def _follow_changed_inputs(sources):
    """Let the model follow its inputs only where the harness says that they have changed: twice as fast.

    Another Verilator may write this differently; its models are then as right and slower.
    """
    for source in sources:
        text = source.read_text(encoding="utf-8")
        changed = _FOLLOW_INPUTS.sub(r"\1board_inputs_changed;", text)
        if changed != text:
            changed = f"extern thread_local bool board_inputs_changed;\n{changed}"
        source.write_text(changed, encoding="utf-8")
