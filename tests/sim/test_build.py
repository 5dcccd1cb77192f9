"""From Verilog to a library: what it holds, how it fails, and who builds it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from systolith_sim import (
    BuildError,
    CompileError,
    MissingToolError,
    SimulationError,
    Simulator,
    build_verilog,
)
from systolith_sim.build import library_key
from systolith_sim.cache import Cache
from systolith_sim.ports import device_ports
from systolith_sim.process import run_all
from systolith_sim.toolchain import find_toolchain
from systolith_sim.variant import Variant
from systolith_sim.verilation import COMPILER_FLAGS, HARNESS, VERILATOR_FLAGS


def idle_device(body="", **changes):
    """A device that does nothing, in Verilog; ``changes`` replaces ports, or drops those that are None."""
    ports = {**device_ports(32), **changes}
    ports = {name: port for name, port in ports.items() if port is not None}
    declared = [f"{direction} [{width - 1}:0] {name}" for name, (direction, width) in ports.items()]
    outputs = [f"assign {name} = 0;" for name, (direction, _) in ports.items() if direction == "output"]
    return f"module systolith({', '.join(declared)});\n{' '.join(outputs)}\n{body}\nendmodule\n"


def test_build(copier_library, copier_verilog, cache):
    library = copier_library(64)
    told = []
    assert build_verilog(copier_verilog(64), cache=cache, progress=told.append) == library
    assert told == []
    assert library.parent.parent == cache / "model"
    files = ["build.json", "libsystolith.so", "manifest.json"]
    assert sorted(path.name for path in library.parent.iterdir()) == files


def test_build_second_use_is_fast(copier_library, copier_verilog, cache):
    copier_library(64)
    seconds = []
    for _ in range(5):
        begin = time.perf_counter()
        build_verilog(copier_verilog(64), cache=cache)
        seconds.append(time.perf_counter() - begin)
    assert min(seconds) < 0.05


def test_library_key():
    toolchain = find_toolchain()
    keys = [library_key("a", variant=variant, toolchain=toolchain) for variant in Variant]
    keys.append(library_key("b", variant=Variant.FAST, toolchain=toolchain))
    assert len(set(keys)) == len(Variant) + 1
    assert library_key("a", variant=Variant.FAST, toolchain=toolchain) == keys[0]


def test_build_corrupt(copier_library, copier_verilog, cache, tmp_path):
    """A damaged library is built again, from the run-time library that is still good."""
    runtime = copier_library(64).parents[2] / "runtime"
    (tmp_path / "runtime").symlink_to(runtime)
    told = []
    arguments = {"cache": tmp_path, "progress": told.append}
    library = build_verilog(idle_device(), **arguments)
    whole = library.read_bytes()
    library.write_bytes(whole[: len(whole) // 2])
    assert build_verilog(idle_device(), **arguments) == library
    assert told == ["building the fast simulation model of a design"] * 2
    with Simulator(library, memory_bytes=4096) as simulator:
        assert simulator.run(max_cycles=10, until=None).cycles == 10


def test_build_wrong_verilog(cache):
    with pytest.raises(
        CompileError, match=r"(?s)^verilator_bin ended with exit code 1:.*%Error: systolith.v:2"
    ):
        build_verilog("module systolith(\n;", cache=cache)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"irq": None}, "the design must have the output irq of 1 bits, and has none"),
        (
            {"m_axi_wstrb": ("output", 8)},
            "the design must have the output m_axi_wstrb of 4 bits, and has output of 8",
        ),
        ({"clk": ("output", 1)}, "the design must have the input clk of 1 bits, and has output of 1 bits"),
    ],
)
def test_build_wrong_ports(cache, changes, message):
    with pytest.raises(BuildError, match=message):
        build_verilog(idle_device(**changes), cache=cache)


def test_build_no_compiler(cache, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingToolError, match="apt install g"):
        build_verilog(idle_device(), cache=cache)


def test_build_compiler_error(cache, monkeypatch, tmp_path):
    compiler = tmp_path / "g++"
    compiler.write_text("#!/bin/sh\necho 'exports.cpp:1: error: out of luck' >&2\nexit 1\n")
    compiler.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    with pytest.raises(CompileError) as caught:
        build_verilog(idle_device(), cache=cache)
    assert str(caught.value) == "g++ ended with exit code 1:\nexports.cpp:1: error: out of luck"


def test_build_model_error(cache):
    """An error of the model is an exception, not the end of the process."""
    body = 'always @(posedge clk) if (s_axil_wdata == 32\'hdead) $fatal(1, "met its end");'
    library = build_verilog(idle_device(body), cache=cache)
    with Simulator(library, memory_bytes=4096) as simulator:
        with pytest.raises(SimulationError, match=r"in cycle 0: systolith.v:3: .*: met its end$"):
            simulator.write_register(0, 0xDEAD)


def test_harness_has_no_warnings(cache, copier_verilog, tmp_path):
    toolchain = find_toolchain()
    (tmp_path / "systolith.v").write_text(copier_verilog(128))
    run_all(
        [[toolchain.verilator, *VERILATOR_FLAGS, "--prefix", "Vsystolith", "--trace-fst", "systolith.v"]],
        folder=tmp_path,
        jobs=1,
        environment=toolchain.environment,
    )
    flags = [flag for flag in COMPILER_FLAGS if flag != "-w"]
    includes = ["-I.", f"-I{HARNESS}", f"-I{HARNESS / 'shims'}", f"-isystem{toolchain.include_folder}"]
    warnings = ["-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Werror", "-fsyntax-only"]
    for variant in (Variant.FAST, Variant.TRACE):
        command = [toolchain.compiler, *flags, *variant.compiler_flags, *includes, *warnings]
        run_all([[*command, str(HARNESS / "exports.cpp")]], folder=tmp_path, jobs=1)


BUILD = """if True:
    import json, sys
    from systolith_sim import build_verilog
    told = []
    try:
        library = build_verilog(open({verilog!r}).read(), cache={cache!r}, progress=told.append)
    except KeyboardInterrupt:
        print(json.dumps("interrupted"))
    else:
        print(json.dumps([str(library), len(told)]))
    """


def start_build(tmp_path):
    (tmp_path / "systolith.v").write_text(idle_device())
    script = BUILD.format(verilog=str(tmp_path / "systolith.v"), cache=str(tmp_path / "cache"))
    return subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)


def test_build_two_processes(tmp_path):
    builders = [start_build(tmp_path) for _ in range(2)]
    answers = [json.loads(builder.communicate(timeout=200)[0]) for builder in builders]
    assert answers[0][0] == answers[1][0]
    assert sorted(answer[1] for answer in answers) == [0, 1]
    with Simulator(answers[0][0], memory_bytes=4096) as simulator:
        assert simulator.run(max_cycles=10, until=None).cycles == 10


def compilers_below(folder):
    """The processes that work in a folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if str(process.joinpath("cwd").readlink()).startswith(str(folder)):
                found.append(process.name)
        except OSError:
            continue
    return found


def wait_until(condition):
    for _ in range(6000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it did not come to be")


def test_build_interrupted(tmp_path):
    with start_build(tmp_path) as builder:
        wait_until(lambda: list(tmp_path.glob("cache/building/model-*/tmp*/pyverilator.cpp")))
        wait_until(lambda: compilers_below(tmp_path))
        builder.send_signal(signal.SIGINT)
        answer = json.loads(builder.communicate(timeout=20)[0])
    assert answer == "interrupted"
    wait_until(lambda: not compilers_below(tmp_path))
    files = [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert {path.suffix for path in files} == {".lock"}
    entry = Cache(tmp_path / "cache").fetch("model", "key", lambda folder: (folder / "a").touch())
    assert (entry / "a").exists()
