"""The program as a whole."""

import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path

import pytest
import systolith_program
from systolith.cli.options import SEED_MAX
from systolith_sim import MemoryTiming


def test_help(systolith):
    result = systolith("--help")
    assert result.code == 0
    assert all(f" {name} " in result.out for name in ("doctor", "run", "gemm", "export"))
    assert systolith().out == result.out


@pytest.mark.parametrize("command", ["doctor", "run", "gemm", "export"])
def test_command_help(systolith, command):
    result = systolith(command, "--help")
    assert result.code == 0
    assert "--json" in result.out


def test_unknown_command(fails):
    assert fails("frobnicate") == "No such command 'frobnicate'."


def test_unknown_option(fails):
    assert fails("doctor", "--frobnicate") == "No such option: --frobnicate"


@pytest.mark.parametrize(
    ("arguments", "json"),
    [
        (["--json", "--seed", "-1"], True),
        (["--seed", "-1", "--json"], True),
        (["--seed", "-1", "--text", "--json"], False),
        (["--text", "--json", "--seed", "-1"], False),
        (["--text=--json", "--seed", "-1"], False),
        (["--text", "--json", "--seed", "-1", "--json"], True),
        (["--seed", "-1", "--", "--json"], False),
    ],
)
def test_json_is_asked_for(systolith, arguments, json):
    """As an option, not as a sentence or behind the end of the options."""
    result = systolith("run", "minilm", *arguments)
    assert result.code == 2
    assert result.out.startswith("{") == json


def test_help_is_quick():
    """Help must not wait for torch, transformers or the hardware's language."""
    script = "import sys, systolith.cli; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    modules = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout.split()
    assert "systolith" in modules
    assert not {"torch", "transformers", "amaranth", "systolith_sim"} & set(modules)


def test_version(systolith):
    result = systolith("--version")
    assert (result.code, result.out) == (0, f"systolith {importlib.metadata.version('systolith')}\n")


GEMM = ("gemm", "-m", "1", "-k", "1", "-n", "1", "--target", "golden")


def call(stdout, *arguments, **environment):
    script = "import systolith.cli; systolith.cli.main()"
    return subprocess.run(
        [sys.executable, "-c", script, *arguments],
        stdout=stdout,
        stderr=subprocess.PIPE,
        env=os.environ | environment,
        check=False,
    )


@pytest.mark.parametrize("arguments", [GEMM, (*GEMM, "--json"), ("--help",)])
def test_full_output(arguments):
    with Path("/dev/full").open("wb") as full:
        result = call(full, *arguments)
    message = b"systolith: stdout cannot be written: No space left on device\n"
    assert (result.returncode, result.stderr) == (1, message)


@pytest.mark.parametrize("arguments", [GEMM, (*GEMM, "--json")])
def test_reader_has_gone(arguments):
    reader, writer = os.pipe()
    os.close(reader)
    result = call(writer, *arguments)
    os.close(writer)
    assert (result.returncode, result.stderr) == (1, b"")


def test_ascii_output():
    result = call(subprocess.PIPE, *GEMM, PYTHONIOENCODING="ascii")
    assert result.returncode == 0
    assert result.stdout.startswith(b"1 ? 1?1?1, B kn, int32, on golden\n")


SEEDED = (("verify", "lowering"), ("verify", "cycles"), ("bench", "gemm"), ("gemm", "-m1", "-k1", "-n1"))


@pytest.mark.parametrize("command", SEEDED)
def test_seed_has_a_bound(fails, command):
    assert fails(*command, "--seed", 1 << 56) == (
        f"Invalid value for '--seed': must be an integer from 0 to {SEED_MAX}, not '{1 << 56}'"
    )


def test_largest_seed():
    """The simulator takes it for its stalls."""
    assert MemoryTiming(seed=SEED_MAX).seed == SEED_MAX
    with pytest.raises(ValueError, match="seed must be at least 0"):
        MemoryTiming(seed=SEED_MAX + 1)


INTERRUPTED_IMPORT = """
import sys
import systolith_program

class Interrupt:
    def find_spec(name, path=None, target=None):
        if name == sys.argv[1]:
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupt)
systolith_program.main()
"""


@pytest.mark.parametrize("module", ["numpy", "typer", "systolith.cli.app"])
def test_interrupted_import(module):
    result = subprocess.run(
        [sys.executable, "-c", INTERRUPTED_IMPORT, module], capture_output=True, text=True, check=False
    )
    assert (result.returncode, result.stdout, result.stderr) == (130, "", "systolith: interrupted\n")


def test_message_is_printable(fails):
    assert fails("\x1b[31mx") == r"No such command '\x1b[31mx'."


def test_main_is_the_entry_point(monkeypatch, capsys):
    (script,) = importlib.metadata.entry_points(group="console_scripts", name="systolith")
    assert script.load() is systolith_program.main
    monkeypatch.setattr(sys, "argv", ["systolith", "gemm", "-m", "0", "-k", "1", "-n", "1"])
    with pytest.raises(SystemExit) as end:
        systolith_program.main()
    assert end.value.code == 2
    assert capsys.readouterr().err.startswith("systolith: Invalid value for '-m'")
