"""``systolith gemm``: one random product, checked against NumPy."""

import dataclasses
import enum
from typing import Annotated

import numpy as np
import typer

from systolith.bench.epilogue import random_epilogue
from systolith.matmul import matmul
from systolith.report import total

from .options import (
    SEED_MAX,
    Devices,
    Json,
    MemoryLatency,
    MemoryStall,
    Target,
    TargetArray,
    device_facts,
    memory_facts,
    open_target,
)
from .output import cycle_origin, cycles_by_device, finish, number, percent, results, table

__all__ = ["gemm"]


ELEMENTS_MAX = 1 << 27
"""Most elements of A, B and the result together: NumPy's check takes 8 bytes for each."""


class Layout(enum.StrEnum):
    """How B lies in memory."""

    KN = "kn"
    NK = "nk"


class Out(enum.StrEnum):
    """Element type of the result."""

    INT32 = "int32"
    INT8 = "int8"


def gemm(
    m: Annotated[int, typer.Option("-m", min=1, help="Rows of A and of the result.")],
    k: Annotated[int, typer.Option("-k", min=1, help="Columns of A, the summed dimension.")],
    n: Annotated[int, typer.Option("-n", min=1, help="Columns of the result.")],
    batch: Annotated[int, typer.Option(min=1, help="Independent products.")] = 1,
    b_layout: Annotated[Layout, typer.Option(help="B stored K×N or N×K.")] = Layout.KN,
    out: Annotated[Out, typer.Option(help="int8: with random bias, multiplier and shift.")] = Out.INT32,
    relu: Annotated[bool, typer.Option("--relu", help="Negative results become 0.")] = False,
    seed: Annotated[int, typer.Option(min=0, max=SEED_MAX, help="Of the operands and of the stalls.")] = 0,
    target: Target = "rtl",
    array: TargetArray = None,
    devices: Devices = 1,
    mem_latency: MemoryLatency = None,
    mem_stall: MemoryStall = None,
    as_json: Json = False,
) -> None:
    """One random GEMM, checked against NumPy, with cycles, roofline and counters."""
    elements = batch * (m * k + k * n + m * n)
    if elements > ELEMENTS_MAX:
        raise typer.BadParameter(
            f"A, B and the result may have {ELEMENTS_MAX:,} elements together, not {elements:,}"
        )
    device = open_target(
        target, array, devices=devices, memory_latency=mem_latency, memory_stall=mem_stall, seed=seed
    )
    with device:
        problem = random_problem(m=m, k=k, n=n, batch=batch, b_layout=b_layout, out=out, seed=seed)
        try:
            result = matmul(
                problem.a, problem.b, device=device, b_layout=b_layout, relu=relu, out=out, **problem.epilogue
            )
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None
        row = total(device.trace)
    wanted = expected(problem, b_layout=b_layout, relu=relu)
    wrong = np.argwhere(result != wanted)
    first = None
    if len(wrong):
        index = tuple(wrong[0].tolist())
        first = {"index": list(index), "got": int(result[index]), "wanted": int(wanted[index])}
    data = {
        "m": m,
        "k": k,
        "n": n,
        "batch": batch,
        "b_layout": b_layout.value,
        "out": out.value,
        "relu": relu,
        "seed": seed,
        "target": target,
        "array": str(device.config),
        "elements": int(result.size),
        "mismatches": len(wrong),
        "first_mismatch": first,
        "descriptors": sum(len(record.descriptors) for record in device.trace),
    }
    data |= device_facts(devices, device.trace)
    data |= memory_facts(target, memory_latency=mem_latency, memory_stall=mem_stall)
    data |= row.as_dict()
    finish(data, as_json=as_json, ok=not len(wrong), render=lambda: _render(data))


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Problem:
    """A random GEMM.

    Parameters
    ----------
    a : ndarray
        (batch, M, K) int8.
    b : ndarray
        (batch, K, N) or (batch, N, K) int8.
    epilogue : dict
        ``bias``, ``multiplier`` and ``shift`` of int8 output, (N,) each; empty for int32.
    """

    a: np.ndarray
    b: np.ndarray
    epilogue: dict


def random_problem(*, m, k, n, batch, b_layout, out, seed):
    """Operands over all of int8; for int8 output, parameters that fill its range and saturate some."""
    generator = np.random.default_rng(seed)
    a = generator.integers(-128, 128, (batch, m, k), np.int8)
    b = generator.integers(-128, 128, (batch, n, k) if b_layout == "nk" else (batch, k, n), np.int8)
    epilogue = {}
    if out == "int8":
        epilogue = random_epilogue(generator, k=k, n=n)
    return Problem(a=a, b=b, epilogue=epilogue)


def expected(problem, *, b_layout, relu):
    """What the device must return, by NumPy alone: the sums as float64, where they are exact."""
    b = problem.b.swapaxes(-1, -2) if b_layout == "nk" else problem.b
    sums = np.matmul(problem.a.astype(np.float64), b.astype(np.float64)).astype(np.int32)
    if problem.epilogue:
        names = ("bias", "multiplier", "shift")
        bias, multiplier, shift = (problem.epilogue[name].astype(np.int64) for name in names)
        scaled = (sums + bias) * multiplier + ((1 << shift) >> 1)
        sums = np.clip(scaled >> shift, -128, 127).astype(np.int8)
    return np.maximum(sums, 0) if relu else sums


def _render(data):
    shape = "×".join(str(data[name]) for name in "mkn")
    relu = ", relu" if data["relu"] else ""
    results.print(
        f"{data['batch']} × {shape}, B {data['b_layout']}, {data['out']}{relu}, on {data['target']}"
    )
    results.print(f"array {data['array']}")
    memory = ""
    if data["memory_latency"] is not None:
        memory = f", memory latency {data['memory_latency']}, memory stall {data['memory_stall']:g}"
    results.print(f"seed {data['seed']}{memory}")
    if data["mismatches"]:
        first = data["first_mismatch"]
        results.print(
            f"[bold red]{data['mismatches']} of {data['elements']} elements differ from NumPy's[/]: "
            f"element {first['index']} is {first['got']}, not {first['wanted']}"
        )
    elif data["elements"] == 1:
        results.print("[green]the only element equals NumPy's[/]")
    else:
        results.print(f"[green]all {data['elements']:,} elements equal NumPy's[/]")
    if data["cycles"] is None:
        results.print(cycle_origin(data))
        return
    ratio = f"{data['ratio']:.3f} × roofline {number(data['roofline_cycles'])}"
    results.print(f"{number(data['cycles'])} cycles, {ratio}, utilization {percent(data['utilization'])}")
    if data["devices"] > 1:
        results.print(cycles_by_device(data))
    counters = table("Where the cycles went", "counter", "cycles", "share")
    for name, value in data["counters"].items():
        counters.add_row(name, number(value), percent(value / data["cycles"]))
    results.print(counters)
    results.print(cycle_origin(data))
    if data["sim_hz"] is not None:
        results.print(f"{data['seconds']:.2f} s in the simulator: {data['sim_hz']:,.0f} cycles per second")
