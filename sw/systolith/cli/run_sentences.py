"""Sentences embedded on a device: what ``systolith run minilm`` does."""

import contextlib
import time

import rich.console
import rich.progress
import typer

from .gemm_table import gemm_facts, print_gemms, print_verdict, verification_facts
from .models import weight_facts
from .options import device_facts
from .output import finish, printable, results, table

__all__ = ["embed"]

COSINE_FLOOR = 0.95
"""Least cosine between an embedding and the float32 model's at which the run counts as right."""


def embed(model, texts, *, open_device, devices, facts, verify, as_json):
    """Embed sentences, compare them with float32, print the results and end the command.

    Parameters
    ----------
    model : SentenceModel
    texts : list of str
    open_device : callable
        Opens the device, as the last that can fail before it is used.
    devices : int
    facts : dict
        Of the target, for the results.
    verify : bool
    as_json : bool

    Raises
    ------
    typer.BadParameter
        If a sentence is too long.
    """
    try:
        tokens = model.tokenize(texts)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--text") from None
    from systolith.torch import Verifier, offload

    verifier = Verifier() if verify else None
    wanted = model.embed(texts)
    with open_device() as device:
        encoder = offload(model.encoder, device=device, verifier=verifier)
        weights = weight_facts(encoder)
        with _progress(encoder, facts["target"]):
            start = time.perf_counter()
            embeddings = model.embed(texts, encoder=encoder)
            seconds = time.perf_counter() - start
        trace = device.trace
    cosines = (embeddings * wanted).sum(dim=1)
    gemms = gemm_facts(trace)
    shares = {
        "device_seconds": trace.seconds,
        "verify_seconds": 0.0 if verifier is None else verifier.seconds,
    }
    shares["host_seconds"] = seconds - sum(shares.values())
    data = {
        "model": model.name,
        "array": str(device.config),
        **facts,
        **weights,
        **device_facts(devices, trace),
        "texts": texts,
        "tokens": [len(ids) for ids in tokens],
        "cosine_min": cosines.min().item(),
        "cosine_mean": cosines.mean().item(),
        **verification_facts(verifier, trace.macs),
        **gemms,
        "seconds": seconds,
        **shares,
        "similarities": (embeddings @ embeddings.T).tolist(),
        "similarities_float32": (wanted @ wanted.T).tolist(),
    }
    finish(
        data,
        as_json=as_json,
        ok=data["bit_exact"] is not False and data["cosine_min"] >= COSINE_FLOOR,
        render=lambda: _render(data, trace),
    )


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


def _render(data, trace):
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
    print_gemms("GEMMs by shape", trace)
    print_verdict(data)


def _similarities(data):
    headings = (str(index + 1) for index in range(len(data["texts"])))
    listing = table("Similarities (float32 beside)", "sentence", *headings)
    pairs = zip(data["similarities"], data["similarities_float32"], strict=True)
    for index, (ours, wanted) in enumerate(pairs, 1):
        cells = (f"{a:.3f} [dim]({b:.3f})[/]" for a, b in zip(ours, wanted, strict=True))
        listing.add_row(str(index), *cells)
    return listing
