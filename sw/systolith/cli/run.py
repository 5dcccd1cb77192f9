"""``systolith run``: a real model end to end, compared with float32 and with the golden arithmetic."""

from typing import Annotated

import typer

from systolith.text import check_text

from .models import TITLES, Model, load_model
from .options import (
    SEED_MAX,
    Devices,
    Json,
    MemoryLatency,
    MemoryStall,
    Target,
    TargetArray,
    check_options,
    memory_facts,
    open_target,
)
from .run_language import continue_text
from .run_sentences import embed

__all__ = ["run"]

DEFAULT_TEXTS = (
    "The bank raised its interest rate.",
    "Borrowing money now costs more.",
    "A kitten slept on the sofa.",
    "The young cat had a nap.",
)
"""Two pairs of sentences of much the same meaning, together about 32 tokens."""

DEFAULT_PROMPT = "Why is the sky blue?"
DEFAULT_TOKENS = 16

LANGUAGE_OPTIONS = ("--prompt", "--tokens", "--raw", "--clock")


def run(
    model: Annotated[
        Model,
        typer.Argument(
            help="; ".join(
                f"{model}: {what} {TITLES[model]}"
                for model, what in ((Model.MINILM, "sentence embeddings by"), (Model.SMOLLM2, "text by"))
            )
            + "."
        ),
    ],
    text: Annotated[
        list[str] | None, typer.Option(help="minilm: a sentence to embed; may be given several times.")
    ] = None,
    prompt: Annotated[str | None, typer.Option(help="smollm2: what it is asked.")] = None,
    tokens: Annotated[
        int | None, typer.Option(min=1, help=f"smollm2: the most to make; {DEFAULT_TOKENS} unless given.")
    ] = None,
    raw: Annotated[
        bool, typer.Option("--raw", help="smollm2: continue the prompt as it stands instead of answering it.")
    ] = False,
    clock: Annotated[
        float | None,
        typer.Option(
            min=0.001,
            help="smollm2: the clock in MHz at which the tokens per second are told; unless given, the "
            "device's own if it has one, else 100.",
        ),
    ] = None,
    layers: Annotated[
        int | None, typer.Option(min=1, help="Only the model's first so many layers; all unless given.")
    ] = None,
    verify: Annotated[
        bool, typer.Option("--verify/--no-verify", help="Compare every result with the golden arithmetic.")
    ] = True,
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
    given = (prompt is not None, tokens is not None, raw, clock is not None)
    language_options = [name for name, is_given in zip(LANGUAGE_OPTIONS, given, strict=True) if is_given]
    if model is Model.MINILM and language_options:
        raise typer.BadParameter("minilm takes --text instead", param_hint=", ".join(language_options))
    if model is Model.SMOLLM2 and text:
        raise typer.BadParameter("smollm2 takes --prompt instead", param_hint="--text")
    prompt = DEFAULT_PROMPT if prompt is None else prompt
    if model is Model.MINILM:
        for sentence in texts:
            _check(sentence, "a sentence", "--text")
    else:
        _check(prompt, "a prompt", "--prompt")
    check_options(target, array, memory_latency=mem_latency, memory_stall=mem_stall)
    loaded = load_model(model, layers=layers)
    facts = {
        "target": target,
        "seed": seed,
        **memory_facts(target, memory_latency=mem_latency, memory_stall=mem_stall),
    }

    def open_device():
        return open_target(
            target, array, devices=devices, memory_latency=mem_latency, memory_stall=mem_stall, seed=seed
        )

    common = {
        "open_device": open_device,
        "devices": devices,
        "facts": facts,
        "verify": verify,
        "as_json": as_json,
    }
    if model is Model.MINILM:
        embed(loaded, texts, **common)
    else:
        continue_text(loaded, prompt, tokens or DEFAULT_TOKENS, chat=not raw, clock_mhz=clock, **common)


def _check(text, what, option):
    try:
        check_text(text, what)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from None
