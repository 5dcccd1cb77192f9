"""From Verilog to a shared library that holds the design, the harness and pyverilator's interface."""

import json
import platform
import re
import sys
import tempfile
from pathlib import Path

from .cache import digest
from .errors import BuildError
from .ports import device_ports, ports_header
from .process import run_all
from .pyverilator_interface import interface_source, internal_signals, top_ports
from .variant import Variant

__all__ = ["LIBRARY", "build_library", "library_key"]

LIBRARY = "libsystolith.so"
"""File name of the shared library."""

HARNESS = Path(__file__).parent / "harness"
GENERATORS = ("pyverilator_interface.py", "ports.py", "training.py")
"""Modules that what is built depends on."""

VERILATOR_FLAGS = [
    *("--cc", "--top-module", "systolith", "--prefix", "Vsystolith", "--Mdir", ".", "--make", "json"),
    *("-O3", "--x-assign", "fast", "--x-initial", "fast", "--no-timing", "--timescale", "1ns/1ns"),
    # Loops stay loops, for the C++ compiler to vectorize.
    *("--unroll-count", "0"),
    # Functions small enough for the C++ compiler, in files that can be compiled side by side.
    *("--output-split", "20000"),
    # Yosys writes correct Verilog that is no example of style.
    *("-Wno-fatal", "-Wno-lint", "-Wno-style"),
    # What a design itself calls an error is one.
    "-Werror-USERERROR",
]
COMPILER_FLAGS = [
    *("-std=c++17", "-fPIC", "-march=native", "-w"),
    # The loops are short: a call of memmove costs more than the moves, and what is unrolled before it can be
    # vectorized stays scalar.
    *("-fno-tree-loop-distribute-patterns", "--param", "max-completely-peel-times=4"),
    *(["-mprefer-vector-width=512"] if platform.machine() == "x86_64" else []),
    # Unique symbols would be shared between the libraries of different designs in one process.
    "-fno-gnu-unique",
    *("-DVERILATOR=1", "-DVM_COVERAGE=0", "-DVM_SC=0", "-DVL_TIME_CONTEXT", "-DVL_USER_FATAL"),
]
TRAINING = "systolith_sim.training"
"""The module whose run, in a process of its own, a model is compiled for."""
SLOW = "-O0"
"""Optimization of what runs once."""
FAST_UNIT_BYTES = 200_000
"""Of what runs in every cycle, files are joined up to this size."""
SLOW_UNIT_BYTES = 1_000_000
"""Likewise of what runs once."""
_ARRAY = re.compile(r"^( +)(?=VlUnpacked<)", re.MULTILINE)
_FOLLOW_INPUTS = re.compile(r"(vlSelfRef\.__VicoFirstIteration = )1U;")
RUNTIME = "-O1"
"""Optimization of Verilator's own sources, of which a design without tracing runs almost nothing."""
LINKER_FLAGS = ["-shared", "-Wl,-Bsymbolic"]
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
    sources = [Path(__file__), *map(Path(__file__).with_name, GENERATORS), *_harness_sources()]
    parts = [source.read_bytes() for source in sources]
    return digest(verilog, trained_as, *_flags(variant), toolchain.identity, *parts)


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
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        scratch = Path(scratch)
        environment = toolchain.environment | {"TMPDIR": str(scratch)}
        (scratch / "systolith.v").write_text(verilog, encoding="utf-8")
        command = [toolchain.verilator, *VERILATOR_FLAGS, *variant.verilator_flags, "systolith.v"]
        run_all([command], folder=scratch, jobs=1, environment=environment)
        sources = json.loads((scratch / "Vsystolith.json").read_text(encoding="utf-8"))["sources"]
        _align_arrays(scratch / "Vsystolith___024root.h")
        ports = top_ports((scratch / "Vsystolith.h").read_text(encoding="utf-8"))
        _check_ports(ports)
        if variant is not Variant.DEBUG:
            _settle_inputs_once(sources["classes_fast"])
        if variant is Variant.DEBUG:
            ports += internal_signals((scratch / "Vsystolith___024root.h").read_text(encoding="utf-8"))
        (scratch / "ports.hpp").write_text(ports_header(_data_bits(ports)), encoding="utf-8")
        (scratch / "pyverilator.cpp").write_text(interface_source(ports), encoding="utf-8")

        fast = [str(HARNESS / "exports.cpp"), *sources["classes_fast"], *sources.get("support_fast", [])]
        slow = ["pyverilator.cpp", *sources["classes_slow"], *sources.get("support_slow", [])]
        runtime = _runtime(sources["global"], variant=variant, toolchain=toolchain, cache=cache, jobs=jobs)
        fast = _joined(fast, scratch, "fast", FAST_UNIT_BYTES)
        slow = _joined(slow, scratch, "slow", SLOW_UNIT_BYTES)
        objects = [f"{Path(unit).stem}.o" for unit in fast + slow] + sorted(map(str, runtime.glob("*.o")))

        def run(commands):
            run_all(commands, folder=scratch, jobs=jobs, environment=environment)

        def compiled(units, *flags):
            return [[*_compile_command(toolchain, variant), *flags, unit] for unit in units]

        def link(path, *flags):
            run([[toolchain.compiler, *LINKER_FLAGS, *flags, "-o", str(path), *objects]])

        if trained_as is None:
            run(compiled(fast, variant.optimization) + compiled(slow, SLOW))
        else:
            run(compiled(fast, variant.optimization, *PROFILE_FLAGS) + compiled(slow, SLOW))
            link(scratch / LIBRARY, *PROFILE_FLAGS)
            run([[sys.executable, "-m", TRAINING, str(scratch / LIBRARY), str(trained_as)]])
            run(compiled(fast, variant.optimization, *PROFILED_FLAGS))
        link(folder / LIBRARY)


def _settle_inputs_once(sources):
    """Let the model follow its inputs only while ``clk`` is low.

    The harness changes inputs only before it evaluates with ``clk`` low, so that what depends on them has
    settled when ``clk`` rises: doing it again takes a fifth of the time. Another Verilator may write this
    differently; its models are then as right and slower.
    """
    for source in map(Path, sources):
        text = source.read_text(encoding="utf-8")
        source.write_text(_FOLLOW_INPUTS.sub(r"\1!vlSelfRef.clk;", text), encoding="utf-8")


def _align_arrays(header):
    """Let the model's arrays begin at lines of the cache: a vector that crosses one costs two accesses."""
    text = header.read_text(encoding="utf-8")
    header.write_text(_ARRAY.sub(r"\1alignas(64) ", text), encoding="utf-8")


def _joined(sources, folder, name, limit):
    """Files that include the sources, the small ones together; the longest first, so that none is left over.

    Reading Verilator's headers takes longer than compiling a small file.
    """
    sizes = {source: (folder / source).stat().st_size for source in sources}
    groups = []
    for source in sorted(sources, key=sizes.get):
        if groups and sum(map(sizes.get, groups[-1])) + sizes[source] <= limit:
            groups[-1].append(source)
        else:
            groups.append([source])
    units = []
    for number, group in enumerate(reversed(groups)):
        unit = f"{name}_{number}.cpp"
        (folder / unit).write_text("".join(f'#include "{source}"\n' for source in group), encoding="utf-8")
        units.append(unit)
    return units


def _runtime(sources, *, variant, toolchain, cache, jobs):
    """The folder of Verilator's own sources, compiled: the same for every design."""
    compile_command = _compile_command(toolchain, variant)
    commands = [[*compile_command, RUNTIME, source] for source in sources]
    shims = [path.read_bytes() for path in sorted((HARNESS / "shims").iterdir())]
    key = digest(toolchain.identity, *compile_command, RUNTIME, *sources, *shims)

    def build(folder):
        run_all(
            commands, folder=folder, jobs=jobs, environment=toolchain.environment | {"TMPDIR": str(folder)}
        )

    return cache.fetch("runtime", key, build)


def _compile_command(toolchain, variant):
    include = toolchain.include_folder
    folders = [HARNESS / "shims", HARNESS, include, include / "vltstd"]
    includes = ["-I.", *(f"-I{folder}" for folder in folders)]
    return [toolchain.compiler, *COMPILER_FLAGS, *variant.compiler_flags, *includes, "-c"]


def _flags(variant):
    groups = [VERILATOR_FLAGS, variant.verilator_flags, COMPILER_FLAGS, variant.compiler_flags, LINKER_FLAGS]
    groups += [PROFILE_FLAGS, PROFILED_FLAGS]
    return [variant.optimization, SLOW, RUNTIME, *(flag for group in groups for flag in group)]


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
