"""Models that embed sentences."""

import dataclasses

import torch

from systolith.text import check_text, shown

__all__ = ["SentenceModel"]


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
            check_text(sentence, "a sentence")
        tokens = self.tokenizer(list(sentences), verbose=False)["input_ids"]
        for sentence, ids in zip(sentences, tokens, strict=True):
            if len(ids) > self.max_tokens:
                raise ValueError(
                    f"a sentence must have at most {self.max_tokens} tokens, not {len(ids)}: "
                    f"{shown(sentence)}"
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
