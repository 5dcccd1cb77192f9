"""What ``systolith eval`` measures of each kind of model. Loads torch."""

import dataclasses
from collections.abc import Callable
from typing import Any

from systolith.text import split_sentences
from systolith.torch.evaluation import (
    check_comparable,
    compare_language,
    compare_sentences,
    embed_in_batches,
    windows,
)

from .models import Model

__all__ = ["PREPARATIONS", "Subject"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Subject:
    """A model and the text that it is measured on.

    Parameters
    ----------
    module : Module
        What is offloaded.
    facts : dict
        Of the text, for the results.
    compare : callable
        From the offloaded module, and what is called with lines of progress, to the figures.
    """

    module: Any
    facts: dict[str, Any]
    compare: Callable[..., dict[str, Any]]


def _prepare_language(model, text, calibration, *, window, tokens):
    ids = model.tokenizer(text, verbose=False)["input_ids"][:tokens]
    parts = windows(ids, window)
    examples = []
    if calibration is not None:
        examples = windows(model.tokenizer(calibration, verbose=False)["input_ids"], window)

    def compare(network, tell):
        def progress(done):
            tell(f"{done} of {len(parts)} windows of {window} tokens")

        return dataclasses.asdict(compare_language(model, network, parts, progress=progress))

    def run(network):
        for part in examples:
            model.logits(part, network=network)

    return Subject(module=model.network, facts={"tokens": len(ids), "window": window}, compare=compare), run


def _prepare_sentences(model, text, calibration, *, window, tokens):  # noqa: ARG001 -- of a language model
    sentences = split_sentences(text)
    check_comparable(sentences)
    examples = [] if calibration is None else split_sentences(calibration)
    model.tokenize([*sentences, *examples])

    def compare(encoder, tell):
        def progress(done):
            tell(f"batch {done} of sentences")

        return dataclasses.asdict(compare_sentences(model, encoder, sentences, progress=progress))

    def run(encoder):
        embed_in_batches(model, examples, encoder=encoder)

    return Subject(module=model.encoder, facts={}, compare=compare), run


PREPARATIONS = {Model.MINILM: _prepare_sentences, Model.SMOLLM2: _prepare_language}
"""From a loaded model, a text and a calibration text to a :class:`Subject`, and what runs the latter."""
