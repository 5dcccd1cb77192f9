"""From Verilog to a shared library that holds the design, the harness and pyverilator's interface."""

import sys
from pathlib import Path

from .errors import BuildError
from .ports import device_ports, ports_header
from .pyverilator_interface import interface_source, internal_signals, top_ports
from .variant import Variant
from .verilation import HARNESS, verilated, verilation_key

__all__ = ["LIBRARY", "build_library", "library_key"]

LIBRARY = "libsystolith.so"
"""File name of the shared library."""

TOP = "systolith"

GENERATORS = ("pyverilator_interface.py", "ports.py", "training.py")
"""Modules that what is built depends on."""

TRAINING = "systolith_sim.training"
"""The module whose run, in a process of its own, a model is compiled for."""
PROFILE_FLAGS = ["-fprofile-generate", "-fprofile-update=single"]
"""For a model that counts what it runs; also for the linker."""
PROFILED_FLAGS = ["-fprofile-use", "-fprofile-partial-training", "-Wno-missing-profile"]
"""For the model that is kept: what the training run did not reach is optimized as without a profile."""


def library_key(verilog, *, variant, toolchain, trained_as=None):
    """The name of what :func:`build_library` makes of this.

    Parameters
    ----------
    verilog : str
    variant : Variant
    toolchain : Toolchain
    trained_as : ArrayConfig or None
    """
    flags = [variant.optimization, *variant.verilator_flags, *variant.compiler_flags]
    return verilation_key(
        verilog,
        toolchain=toolchain,
        flags=[trained_as, *flags, *PROFILE_FLAGS, *PROFILED_FLAGS],
        sources=[Path(__file__), *map(Path(__file__).with_name, GENERATORS), *_harness_sources()],
    )


def build_library(verilog, folder, *, variant, toolchain, cache, jobs, trained_as=None):
    """Build :data:`LIBRARY` in ``folder``.

    Parameters
    ----------
    verilog : str
        A design with the ports of :func:`~.ports.device_ports`, top module ``systolith``.
    folder : pathlib.Path
    variant : Variant
    toolchain : Toolchain
    cache : Cache
        Where Verilator's compiled run-time library is kept for the next design.
    jobs : int
        Compilers to run at once.
    trained_as : ArrayConfig or None
        The device's configuration, for a model that is compiled twice: the second time with what the first
        has counted in a typical run (profile-guided optimization).

    Raises
    ------
    CompileError
        If a tool refuses its input, or the typical run fails.
    BuildError
        If a port is missing or has another width.
    """
    with verilated(
        verilog,
        beside=folder.parent,
        top=TOP,
        harness=[HARNESS / "exports.cpp"],
        verilator_flags=variant.verilator_flags,
        compiler_flags=variant.compiler_flags,
        toolchain=toolchain,
        cache=cache,
        jobs=jobs,
    ) as model:
        ports = top_ports(model.header.read_text(encoding="utf-8"))
        _check_ports(ports)
        if variant is Variant.DEBUG:
            ports += internal_signals(model.root_header.read_text(encoding="utf-8"))
        else:
            # The harness changes inputs only before it evaluates with clk low, so that what depends on them
            # has settled when clk rises: doing it again would take a fifth of the time.
            model.follow_inputs_if("!vlSelfRef.clk")
        (model.folder / "ports.hpp").write_text(ports_header(_data_bits(ports)), encoding="utf-8")
        model.add("pyverilator.cpp", interface_source(ports))
        if trained_as is None:
            model.compile(variant.optimization)
        else:
            counting = model.folder / LIBRARY
            model.compile(variant.optimization, *PROFILE_FLAGS)
            model.link(counting, *PROFILE_FLAGS)
            model.run([[sys.executable, "-m", TRAINING, str(counting), str(trained_as)]])
            model.compile(variant.optimization, *PROFILED_FLAGS, again=True)
        model.link(folder / LIBRARY)


def _harness_sources():
    return sorted(path for path in HARNESS.rglob("*") if path.suffix in (".hpp", ".cpp", ".h"))


def _data_bits(ports):
    return next((port.width for port in ports if port.name == "m_axi_rdata"), 32)


def _check_ports(ports):
    found = {port.name: (port.direction, port.width) for port in ports}
    for name, (direction, width) in device_ports(_data_bits(ports)).items():
        if found.get(name) != (direction, width):
            wanted = f"{direction} {name} of {width} bits"
            what = "none" if name not in found else "{} of {} bits".format(*found[name])
            raise BuildError(f"the design must have the {wanted}, and has {what}")
