"""Models that continue text."""

import dataclasses

import torch
from tokenizers.decoders import DecodeStream

from systolith.text import check_text

__all__ = ["LanguageModel"]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class LanguageModel:
    """A causal transformer with its tokenizer, and how text is made with them.

    Parameters
    ----------
    name : str
    network : Module
        Of transformers; returns ``logits``, (B, L, V) float32, and ``past_key_values``.
    tokenizer : object
        Of transformers, with a chat template.
    max_tokens : int
        Longest sequence, prompt and what follows.
    """

    name: str
    network: torch.nn.Module
    tokenizer: object
    max_tokens: int

    def tokenize(self, text, *, chat=False):
        """Token ids of a text.

        Parameters
        ----------
        text : str
        chat : bool
            As a user's message, followed by the begin of the answer, instead of as it stands.

        Returns
        -------
        list of int

        Raises
        ------
        ValueError
            If it is empty, too long or no text.
        """
        check_text(text, "a prompt")
        if chat:
            message = {"role": "user", "content": text}
            text = self.tokenizer.apply_chat_template([message], add_generation_prompt=True, tokenize=False)
        ids = self.tokenizer(text, verbose=False)["input_ids"]
        self.check_length(len(ids), 0)
        return ids

    @property
    def end(self):
        """Id of the token that ends a text."""
        return self.tokenizer.eos_token_id

    def decode(self, ids):
        """The text of some tokens, without those that stand for no text."""
        return self.tokenizer.decode(ids, skip_special_tokens=True)

    def pieces(self):
        """What turns a sequence of tokens, id by id, into pieces of text.

        Returns
        -------
        callable
            From the next id to the text that it completes; empty within a character of several tokens.
        """
        stream = DecodeStream(skip_special_tokens=True)
        return lambda token: stream.step(self.tokenizer.backend_tokenizer, token) or ""

    def check_length(self, prompt, wanted):
        """Check that so many tokens fit behind a prompt.

        Parameters
        ----------
        prompt, wanted : int
            Tokens.

        Raises
        ------
        ValueError
        """
        if prompt > self.max_tokens:
            raise ValueError(f"a prompt must have at most {self.max_tokens} tokens, not {prompt}")
        if prompt + wanted > self.max_tokens:
            raise ValueError(
                f"prompt and answer must have at most {self.max_tokens} tokens together, "
                f"not {prompt} and {wanted}"
            )

    def generate(self, ids, count, *, network=None):
        """The most likely continuation, a token at a time, keys and values of earlier tokens kept.

        Parameters
        ----------
        ids : list of int
            The prompt's.
        count : int
            At most so many; the end of the text ends it earlier.
        network : Module or None
            Runs instead of :attr:`network`, for example an offloaded copy of it.

        Yields
        ------
        int
            A token's id. The first one takes the whole prompt to compute.

        Raises
        ------
        ValueError
            If prompt and continuation are together longer than the model can take.
        """
        self.check_length(len(ids), count)
        network = self.network if network is None else network
        past = None
        for _ in range(count):
            # Entered anew for each token: what runs between two of them is the caller's.
            with torch.inference_mode():
                out = network(
                    input_ids=torch.tensor([ids]), past_key_values=past, use_cache=True, logits_to_keep=1
                )
            past, ids = out.past_key_values, [out.logits[0, -1].argmax().item()]
            yield ids[0]
            if ids[0] == self.end:
                return

    def logits(self, ids, *, network=None, first=0):
        """Scores of every next token after each of a sequence's tokens.

        Parameters
        ----------
        ids : list of int
            At most :attr:`max_tokens`.
        network : Module or None
            Runs instead of :attr:`network`, for example an offloaded copy of it.
        first : int
            Of the token from which on scores are wanted.

        Returns
        -------
        Tensor
            (len(ids) - first, V) float32.
        """
        self.check_length(len(ids), 0)
        network = self.network if network is None else network
        with torch.inference_mode():
            out = network(input_ids=torch.tensor([ids]), use_cache=False, logits_to_keep=len(ids) - first)
        return out.logits[0]
