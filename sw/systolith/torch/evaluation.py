"""How close a model that runs on a device stays to the same model in float32."""

import dataclasses

import torch
from torch.nn import functional

__all__ = [
    "LanguageScore",
    "SentenceScore",
    "check_comparable",
    "compare_language",
    "compare_sentences",
    "embed_in_batches",
    "windows",
]

BATCH_SENTENCES = 16
"""Sentences that are embedded at once."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class LanguageScore:
    """How a language model predicts a text, each token from those before it.

    Parameters
    ----------
    predicted_tokens : int
    perplexity, perplexity_float32 : float
    perplexity_ratio : float
        Of the two.
    top1_agreement : float
        Share of tokens after which both think the same next token the likeliest.
    """

    predicted_tokens: int
    perplexity: float
    perplexity_float32: float
    perplexity_ratio: float
    top1_agreement: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class SentenceScore:
    """How close sentence embeddings are.

    Parameters
    ----------
    sentences : int
    cosine_min, cosine_mean : float
        Between each sentence's two embeddings.
    top1_agreement : float
        Share of sentences of which both think the same other sentence the most similar.
    """

    sentences: int
    cosine_min: float
    cosine_mean: float
    top1_agreement: float


def windows(ids, size):
    """A sequence in parts that a language model sees one at a time: none overlap, each predicts something.

    Parameters
    ----------
    ids : list of int
    size : int
        Tokens of a part, at least 2; the last one may have fewer.

    Returns
    -------
    list of list of int

    Raises
    ------
    ValueError
        If there are fewer than two tokens.
    """
    if len(ids) < 2:
        raise ValueError(f"a text must have at least 2 tokens to be predicted, not {len(ids)}")
    parts = [ids[start : start + size] for start in range(0, len(ids), size)]
    return parts if len(parts[-1]) > 1 else parts[:-1]


def compare_language(model, network, parts, *, progress=None):
    """Compare how two language models predict the tokens of texts.

    Parameters
    ----------
    model : LanguageModel
        In float32.
    network : Module
        Of the same model, for example offloaded.
    parts : list of list of int
        From :func:`windows`.
    progress : callable or None
        Called after each part with the number of parts done.

    Returns
    -------
    LanguageScore
    """
    losses, losses_float32, agreeing, count = 0.0, 0.0, 0, 0
    for index, ids in enumerate(parts, 1):
        targets = torch.tensor(ids[1:])
        ours, wanted = (model.logits(ids, network=each)[:-1] for each in (network, model.network))
        losses += functional.cross_entropy(ours, targets, reduction="sum").item()
        losses_float32 += functional.cross_entropy(wanted, targets, reduction="sum").item()
        agreeing += (ours.argmax(dim=-1) == wanted.argmax(dim=-1)).sum().item()
        count += len(targets)
        if progress:
            progress(index)
    perplexity, perplexity_float32 = (
        torch.tensor(total / count).exp().item() for total in (losses, losses_float32)
    )
    return LanguageScore(
        predicted_tokens=count,
        perplexity=perplexity,
        perplexity_float32=perplexity_float32,
        perplexity_ratio=perplexity / perplexity_float32,
        top1_agreement=agreeing / count,
    )


def embed_in_batches(model, sentences, *, encoder=None, progress=None):
    """Embed any number of sentences, some at a time.

    Parameters
    ----------
    model : SentenceModel
    sentences : list of str
    encoder : Module or None
        Runs instead of the model's own.
    progress : callable or None
        Called after each batch with the number of batches done.

    Returns
    -------
    Tensor
        (len(sentences), E) float32.
    """
    embeddings = []
    for index, start in enumerate(range(0, len(sentences), BATCH_SENTENCES), 1):
        embeddings.append(model.embed(sentences[start : start + BATCH_SENTENCES], encoder=encoder))
        if progress:
            progress(index)
    return torch.cat(embeddings)


def check_comparable(sentences):
    """Check that there are sentences that can be similar to each other.

    Raises
    ------
    ValueError
        If there are fewer than two.
    """
    if len(sentences) < 2:
        raise ValueError(f"a text must have at least 2 sentences to be compared, not {len(sentences)}")


def compare_sentences(model, encoder, sentences, *, progress=None):
    """Compare the embeddings that two encoders make of sentences.

    Parameters
    ----------
    model : SentenceModel
        In float32.
    encoder : Module
        Of the same model, for example offloaded.
    sentences : list of str
        At least two.
    progress : callable or None
        As for :func:`embed_in_batches`.

    Returns
    -------
    SentenceScore

    Raises
    ------
    ValueError
        If there are fewer than two sentences, or one is too long.
    """
    check_comparable(sentences)
    ours = embed_in_batches(model, sentences, encoder=encoder, progress=progress)
    wanted = embed_in_batches(model, sentences)
    cosines = (ours * wanted).sum(dim=-1)
    nearest = [
        (embeddings @ embeddings.T).fill_diagonal_(-torch.inf).argmax(dim=-1) for embeddings in (ours, wanted)
    ]
    return SentenceScore(
        sentences=len(sentences),
        cosine_min=cosines.min().item(),
        cosine_mean=cosines.mean().item(),
        top1_agreement=(nearest[0] == nearest[1]).double().mean().item(),
    )
