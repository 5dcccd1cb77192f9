"""From a configuration and a part to a running netlist."""

from pathlib import Path

from systolith_sim.cache import Cache, default_cache_folder
from systolith_sim.model import build_verilog, design_key
from systolith_sim.simulator import Simulator
from systolith_sim.timing import DEFAULT_TIMING
from systolith_sim.toolchain import find_toolchain
from systolith_sim.variant import Variant

from .synthesis import synthesize

__all__ = ["build_netlist", "open_netlist"]

TOP = "systolith"
DESIGN = "systolith.il"


def open_netlist(
    subject,
    config,
    *,
    memory_bytes,
    timing=DEFAULT_TIMING,
    memory=None,
    variant=Variant.QUICK,
    cache=None,
    progress=None,
):
    """Build the model of the netlist if it is not in the cache, and start it.

    Parameters
    ----------
    subject : Subject
    config : ArrayConfig
    memory_bytes, timing, memory
        As for :class:`~systolith_sim.simulator.Simulator`.
    variant, cache, progress
        As for :func:`build_netlist`.

    Returns
    -------
    Simulator

    Raises
    ------
    BuildError
    """
    library = build_netlist(subject, config, variant=variant, cache=cache, progress=progress)
    return Simulator(library, memory_bytes=memory_bytes, timing=timing, memory=memory)


def build_netlist(subject, config, *, variant=Variant.QUICK, cache=None, progress=None):
    """The model of the synthesized accelerator as a shared library, built if it is not in the cache.

    Parameters
    ----------
    subject : Subject
    config : ArrayConfig
    variant, cache, progress
        As for :func:`~systolith_sim.model.build_model`.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    BuildError
        If a tool is missing, or refuses its input: a cell without a model, for example.
    """
    # A missing tool is told before anything takes long.
    find_toolchain()
    models = subject.family.models()
    design = _emit(subject.board.vendor, config, cache=cache, progress=progress)
    netlist = synthesize(design, board=subject.board, top=TOP, cache=cache, progress=progress)
    return build_verilog(
        f"{models}\n{netlist}",
        name=f"the netlist of {config} for {subject.name}",
        variant=variant,
        cache=cache,
        progress=progress,
    )


def _emit(vendor, config, *, cache, progress):
    """The accelerator with the vendor's multipliers, as Yosys reads it."""
    store = Cache(cache or default_cache_folder())

    def build(folder):
        # Amaranth takes half a second to load: only for what is not in the cache.
        from amaranth.back import rtlil  # noqa: PLC0415
        from systolith_hw.accelerator import Accelerator  # noqa: PLC0415

        if progress:
            progress(f"emitting {config} with the multipliers of {vendor.name}")
        text = rtlil.convert(Accelerator(config, lowering=vendor.lowering), name=TOP, emit_src=False)
        (folder / DESIGN).write_text(text, encoding="utf-8")

    entry = store.fetch("rtlil", design_key(config, vendor.name, Path(__file__).read_bytes()), build)
    return (entry / DESIGN).read_text(encoding="utf-8")
