"""The cycle model on a transformer layer: how fast, how exact, and SCALE-Sim beside it."""

import dataclasses

from systolith_hw import BLayout, Output

from systolith.memory import round_up
from systolith.targets import MEMORY_LATENCY_CYCLES

from .gemm_cases import GemmCase

__all__ = ["SPEED_FLOOR", "TOKENS", "layer_cases", "measure_layer"]

TOKENS = (32, 128)
SPEED_FLOOR = 100.0
"""Least that the cycle model is faster than the RTL."""

WIDTH, HIDDEN, HEADS, HEAD_WIDTH = 384, 1536, 12, 32
"""MiniLM's."""
FIRST_ADDRESS = 0x2000
"""Behind the ring of a timed queue."""
PAGE_BYTES = 4096


def layer_cases(tokens):
    """The products of one layer of MiniLM, as ``offload`` sends them to a device.

    Parameters
    ----------
    tokens : int

    Returns
    -------
    dict of str to GemmCase
    """

    def case(kind, m, k, n, b_layout=BLayout.NK, batch=1):
        return GemmCase(
            kind=kind, name="minilm", m=m, k=k, n=n, batch=batch, b_layout=b_layout, output=Output.INT32
        )

    linear = case("linear", tokens, WIDTH, WIDTH)
    return {
        "query": linear,
        "key": linear,
        "value": linear,
        "scores": case("attention", tokens, HEAD_WIDTH, tokens, batch=HEADS),
        "context": case("attention", tokens, tokens, HEAD_WIDTH, BLayout.KN, batch=HEADS),
        "output": linear,
        "up": case("linear", tokens, WIDTH, HIDDEN),
        "down": case("linear", tokens, HIDDEN, WIDTH),
    }


def measure_layer(config, tokens, *, repeats=5, scale_sim_python=None, progress=None):
    """Run a layer's products as one queue on the RTL, predict it, and ask SCALE-Sim.

    Parameters
    ----------
    config : ArrayConfig
    tokens : int
    repeats : int
        Runs of the RTL and of the cycle model, in turn; the best counts.
    scale_sim_python : str or None
        An interpreter with SCALE-Sim; None: SCALE-Sim's figures are None.
    progress : callable or None
        Called with a line of text before anything that takes long.

    Returns
    -------
    dict
        As JSON can hold it.

    Raises
    ------
    DeviceError
        If a model cannot be built, the RTL fails, or SCALE-Sim does.
    """
    from systolith.simulated.cycles import time_cycles

    cases = layer_cases(tokens)
    descriptors, memory_bytes = _placed(config, cases.values())
    timed = time_cycles(
        config,
        descriptors,
        memory_bytes=memory_bytes,
        latency_cycles=MEMORY_LATENCY_CYCLES,
        repeats=repeats,
        progress=progress,
    )
    version, answers = _scale_sim(config, cases, scale_sim_python, progress)
    rows = [
        {
            "tokens": tokens,
            "name": name,
            "batch": case.batch,
            "m": case.m,
            "k": case.k,
            "n": case.n,
            "b_layout": case.b_layout.name.lower(),
            "rtl_cycles": rtl.total,
            "model_cycles": model.total,
            "error_cycles": model.total - rtl.total,
            "scale_sim_cycles": _scale_sim_total(answers, case),
        }
        for (name, case), rtl, model in zip(cases.items(), timed.rtl, timed.model, strict=True)
    ]
    for row in rows:
        row["scale_sim_error"] = _error(row["scale_sim_cycles"], row["rtl_cycles"])
    rtl_cycles = sum(row["rtl_cycles"] for row in rows)
    scale_sim_total = sum(row["scale_sim_cycles"] for row in rows) if answers else None
    seconds = sum(answer.cpu_seconds for answer in answers.values()) if answers else None
    ratio = timed.rtl_seconds / timed.model_seconds
    return {
        "array": str(config),
        "tokens": tokens,
        "rtl_cycles": rtl_cycles,
        "model_cycles": sum(row["model_cycles"] for row in rows),
        "mismatches": timed.mismatches,
        "rtl_seconds": timed.rtl_seconds,
        "model_seconds": timed.model_seconds,
        "speed_ratio": ratio,
        "floor": SPEED_FLOOR,
        "passed": ratio >= SPEED_FLOOR and not timed.mismatches,
        "scale_sim_version": version,
        "scale_sim_cycles": scale_sim_total,
        "scale_sim_error": _error(scale_sim_total, rtl_cycles),
        "scale_sim_seconds": seconds,
        "rows": rows,
    }


def _placed(config, cases):
    """Descriptors whose matrices lie one behind the other, and where they end."""
    address = FIRST_ADDRESS
    descriptors = []
    for case in cases:
        shape = case.descriptor(config)
        b_rows = case.k if case.b_layout is BLayout.KN else case.n
        sizes = {
            "a_address": case.batch * case.m * shape.a_stride,
            "b_address": case.batch * b_rows * shape.b_stride,
            "d_address": case.batch * case.m * shape.d_stride,
        }
        places = {}
        for name, size in sizes.items():
            places[name] = address
            address += round_up(size, PAGE_BYTES)
        descriptors.append(dataclasses.replace(shape, **places))
    return descriptors, address


def _scale_sim(config, cases, python, progress):
    """Its version, and what it says of each shape; it knows no batches, so that heads are asked for once."""
    if python is None:
        return None, {}
    from systolith.simulated.cycles import scale_sim_cycles

    shapes = list(dict.fromkeys((case.m, case.k, case.n) for case in cases.values()))
    if progress:
        progress(f"asking SCALE-Sim for {len(shapes)} products")
    version, answers = scale_sim_cycles(python, config, shapes)
    return version, dict(zip(shapes, answers, strict=True))


def _scale_sim_total(answers, case):
    answer = answers.get((case.m, case.k, case.n))
    return None if answer is None else case.batch * answer.cycles


def _error(cycles, wanted):
    """As a share of what is wanted."""
    return None if cycles is None else (cycles - wanted) / wanted
