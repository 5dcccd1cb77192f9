"""The simulations by name."""

import importlib.util

from .harness import HarnessPeer

__all__ = ["PEERS", "missing_remedy", "open_peer"]

PEERS = {
    "loops": "our harness, the array as loops",
    "stock": "our harness, the design as Amaranth emits it",
    "cocotb": "cocotb and cocotbext-axi drive stock in Verilator",
    "pyverilator": "pyverilator-mm drives stock signal by signal",
    "amaranth": "Amaranth's own simulator",
}
"""Name to what runs."""

_MODULES = {"cocotb": ("cocotb", "cocotbext.axi", "find_libpython"), "pyverilator": ("pyverilator",)}


def missing_remedy(name):
    """What to do before a simulation can be opened.

    Parameters
    ----------
    name : str
        One of :data:`PEERS`.

    Returns
    -------
    str or None
        None: nothing, as far as can be told before it is built.
    """
    if not all(_is_installed(module) for module in _MODULES.get(name, ())):
        return f"{name} is not installed: pip install 'systolith[compare]'"
    if name == "cocotb":
        import find_libpython  # noqa: PLC0415  comes with cocotb

        if find_libpython.find_libpython() is None:
            return "cocotb needs a Python built with --enable-shared, and this one has no shared library"
    return None


def open_peer(name, config, *, latency_cycles, cache=None, progress=None):
    """Build a simulation if it is not in the cache.

    Parameters
    ----------
    name : str
        One of :data:`PEERS`.
    config : ArrayConfig
    latency_cycles : int
        Of the memory, for reads and writes; cocotb's has none that can be chosen.
    cache, progress
        As for :func:`~systolith_sim.model.build_model`.

    Returns
    -------
    object
        With a method ``run`` from a :class:`Job` to its :class:`Outcome`, and ``build_seconds``, the
        processor time that building it took, or None if that is not known.

    Raises
    ------
    ValueError
        If there is no such simulation.
    BuildError
        If it cannot be built.
    ModuleNotFoundError
        If what :func:`missing_remedy` tells is missing.
    """
    memory = {"latency_cycles": latency_cycles}
    build = {"cache": cache, "progress": progress}
    # Each loads a package that the others do not need.
    match name:
        case "loops" | "stock":
            return HarnessPeer(config, lowering=name, **memory, **build)
        case "cocotb":
            from .with_cocotb import CocotbPeer  # noqa: PLC0415

            return CocotbPeer(config, **build)
        case "pyverilator":
            from .with_pyverilator import PyverilatorPeer  # noqa: PLC0415

            return PyverilatorPeer(config, **memory, **build)
        case "amaranth":
            from .with_amaranth import AmaranthPeer  # noqa: PLC0415

            return AmaranthPeer(config, **memory)
    raise ValueError(f"the simulation must be one of {', '.join(PEERS)}, not {name!r}")


def _is_installed(module):
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        # The package that it is in is not there either.
        return False
