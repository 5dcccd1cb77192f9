"""Text for models, checked and split without loading one."""

import re

__all__ = ["check_text", "shown", "split_sentences"]

SHOWN_CHARACTERS = 40

SENTENCE_END = re.compile(
    r"""
    (?:(?<=[.!?]) | (?<=[.!?]["']))  # behind what ends a sentence, and the quote that it ends,
    (?<!\bMr\.) (?<!\bMrs\.)         # not a title,
    \s+ (?=["'(]?[A-Z])              # before what begins one;
    | \n\s*\n                        # or an empty line
    """,
    re.VERBOSE,
)
"""White space between sentences."""


def check_text(text, what):
    """Check that a text is not empty, and nothing but text.

    Parameters
    ----------
    text : str
    what : str
        What it is, such as ``"a sentence"``; begins the message.

    Raises
    ------
    ValueError
        If it is empty, or holds halves of surrogate pairs: what Python makes of arguments that are not UTF-8.
    """
    if not text.strip():
        raise ValueError(f"{what} must not be empty")
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError(f"{what} must be UTF-8 text, not {shown(text)}")


def shown(text):
    """The begin of a text, quoted, for a message."""
    return f"{text[:SHOWN_CHARACTERS]!r}{'…' if len(text) > SHOWN_CHARACTERS else ''}"


def split_sentences(text):
    """The sentences of a text: up to a full stop, an exclamation or a question mark, or an empty line.

    Parameters
    ----------
    text : str

    Returns
    -------
    list of str
        Without line breaks.
    """
    sentences = SENTENCE_END.split(text)
    return [" ".join(sentence.split()) for sentence in sentences if sentence.strip()]
