"""From Verilog to a shared library: what every model has in common, calling Verilator and the compiler."""

import contextlib
import functools
import json
import platform
import re
import tempfile
from pathlib import Path

from .cache import digest
from .process import run_all

__all__ = [
    "COMPILER_FLAGS",
    "HARNESS",
    "SAID",
    "VERILATOR_FLAGS",
    "Verilation",
    "verilated",
    "verilation_key",
]

HARNESS = Path(__file__).parent / "harness"

PRINTING = HARNESS / "printing.hpp"
SAID = HARNESS / "said.hpp"
"""What every harness includes."""
SHIMS = HARNESS / "shims"

VERILATOR_FLAGS = [
    *("--cc", "--Mdir", ".", "--make", "json"),
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
    *("-include", PRINTING.name),
]
LINKER_FLAGS = ["-shared", "-Wl,-Bsymbolic"]
SLOW = "-O0"
"""Optimization of what runs once."""
RUNTIME = "-O1"
"""Optimization of Verilator's own sources, of which a design without tracing runs almost nothing."""
FAST_UNIT_BYTES = 200_000
"""Of what runs in every cycle, files are joined up to this size."""
SLOW_UNIT_BYTES = 1_000_000
"""Likewise of what runs once."""
_ARRAY = re.compile(r"^( +)(?=VlUnpacked<)", re.MULTILINE)
_FOLLOW_INPUTS = re.compile(r"(vlSelfRef\.__VicoFirstIteration = )1U;")


def verilation_key(verilog, *, toolchain, flags, sources):
    """The name of a library in the cache.

    Parameters
    ----------
    verilog : str
    toolchain : Toolchain
    flags : list
        All that is asked for beside what every model has.
    sources : iterable of Path
        Files that the library depends on likewise.
    """
    common = [*VERILATOR_FLAGS, *COMPILER_FLAGS, *LINKER_FLAGS, SLOW, RUNTIME]
    parts = [path.read_bytes() for path in (Path(__file__), PRINTING, *sources)]
    return digest(verilog, toolchain.identity, *common, *flags, *parts)


@contextlib.contextmanager
def verilated(verilog, *, beside, **options):
    """Have a :class:`Verilation`, in a folder that is gone at the end.

    Parameters
    ----------
    verilog : str
    beside : Path
        Where that folder is.
    **options
        As for :class:`Verilation`.

    Raises
    ------
    CompileError
        If Verilator refuses the design.
    """
    with tempfile.TemporaryDirectory(dir=beside) as folder:
        yield Verilation(verilog, Path(folder), **options)


class Verilation:
    """A design in Verilator's C++, on its way to a shared library.

    Parameters
    ----------
    verilog : str
    folder : Path
        Empty, for all that is made on the way.
    top : str
        The top module.
    harness : list of Path
        C++ beside the model, which runs in every cycle.
    verilator_flags, compiler_flags : list of str
        Beside those of every model.
    toolchain : Toolchain
    cache : Cache
        Where Verilator's compiled run-time library is kept for the next design.
    jobs : int
        Compilers to run at once.

    Members
    -------
    folder : Path
    header, root_header : Path
        Of the model's class, and of the one that holds its signals.
    """

    def __init__(
        self, verilog, folder, *, top, harness, toolchain, cache, jobs, verilator_flags=(), compiler_flags=()
    ):
        self.folder = folder
        self.header = folder / f"V{top}.h"
        self.root_header = folder / f"V{top}___024root.h"
        self._toolchain, self._cache, self._jobs = toolchain, cache, jobs
        include = toolchain.include_folder
        includes = [f"-I{path}" for path in (".", SHIMS, HARNESS, include, include / "vltstd")]
        self._flags = [*COMPILER_FLAGS, *compiler_flags]
        self._compile = [toolchain.compiler, *self._flags, *includes, "-c"]
        source = f"{top}.v"
        (folder / source).write_text(verilog, encoding="utf-8")
        names = ["--top-module", top, "--prefix", f"V{top}"]
        self.run([[toolchain.verilator, *VERILATOR_FLAGS, *names, *verilator_flags, source]])
        sources = json.loads((folder / f"V{top}.json").read_text(encoding="utf-8"))["sources"]
        self._classes = [folder / name for name in sources["classes_fast"]]
        self._fast = [*map(str, harness), *sources["classes_fast"], *sources.get("support_fast", [])]
        self._slow = [*sources["classes_slow"], *sources.get("support_slow", [])]
        self._global = sources["global"]
        self._align_arrays()

    def run(self, commands):
        """Run commands there, as many at once as may be.

        Raises
        ------
        CompileError
        """
        environment = self._toolchain.environment | {"TMPDIR": str(self.folder)}
        run_all(commands, folder=self.folder, jobs=self._jobs, environment=environment)

    def add(self, name, text):
        """Add a C++ source that runs once."""
        (self.folder / name).write_text(text, encoding="utf-8")
        self._slow.append(name)

    def follow_inputs_if(self, condition, *, declarations=""):
        """Let the model follow its inputs only where the harness says that they may have changed.

        Another Verilator may write this differently; its models are then as right and slower.

        Parameters
        ----------
        condition : str
            In C++.
        declarations : str
            Of what it names.
        """
        for source in self._classes:
            text = source.read_text(encoding="utf-8")
            changed = _FOLLOW_INPUTS.sub(rf"\1{condition};", text)
            if changed != text:
                source.write_text(declarations + changed, encoding="utf-8")

    def compile(self, *flags, again=False):
        """Compile the model.

        Parameters
        ----------
        *flags : str
            For what runs in every cycle.
        again : bool
            Only that: the rest is as it was.

        Raises
        ------
        CompileError
        """
        fast, slow = self._units
        commands = [[*self._compile, *flags, unit] for unit in fast]
        if not again:
            commands += [[*self._compile, SLOW, unit] for unit in slow]
        self.run(commands)

    def link(self, path, *flags):
        """Make the shared library.

        Raises
        ------
        CompileError
        """
        fast, slow = self._units
        objects = [f"{Path(unit).stem}.o" for unit in fast + slow]
        objects += sorted(map(str, self._runtime().glob("*.o")))
        self.run([[self._toolchain.compiler, *LINKER_FLAGS, *flags, "-o", str(path), *objects]])

    @functools.cached_property
    def _units(self):
        """What runs in every cycle, and what runs once, in files to be compiled."""
        return (
            self._joined(self._fast, "fast", FAST_UNIT_BYTES),
            self._joined(self._slow, "slow", SLOW_UNIT_BYTES),
        )

    def _joined(self, sources, name, limit):
        """Files that include the sources, the small ones together; the longest first, lest one is left over.

        Reading Verilator's headers takes longer than compiling a small file.
        """
        sizes = {source: (self.folder / source).stat().st_size for source in sources}
        groups = []
        for source in sorted(sources, key=sizes.get):
            if groups and sum(map(sizes.get, groups[-1])) + sizes[source] <= limit:
                groups[-1].append(source)
            else:
                groups.append([source])
        units = []
        for number, group in enumerate(reversed(groups)):
            unit = f"{name}_{number}.cpp"
            text = "".join(f'#include "{source}"\n' for source in group)
            (self.folder / unit).write_text(text, encoding="utf-8")
            units.append(unit)
        return units

    def _runtime(self):
        """The folder of Verilator's own sources, compiled: the same for every design."""
        commands = [[*self._compile, RUNTIME, source] for source in self._global]
        parts = [path.read_bytes() for path in (PRINTING, *sorted(SHIMS.iterdir()))]
        names = [Path(source).name for source in self._global]
        key = digest(self._toolchain.identity, *self._flags, RUNTIME, *names, *parts)

        def build(folder):
            environment = self._toolchain.environment | {"TMPDIR": str(folder)}
            run_all(commands, folder=folder, jobs=self._jobs, environment=environment)

        return self._cache.fetch("runtime", key, build)

    def _align_arrays(self):
        """Have the model's arrays begin at lines of the cache: a vector across two costs two accesses."""
        text = self.root_header.read_text(encoding="utf-8")
        self.root_header.write_text(_ARRAY.sub(r"\1alignas(64) ", text), encoding="utf-8")
