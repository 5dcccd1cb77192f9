"""Sentences that a model can take, checked without loading one."""

__all__ = ["check_sentence"]

SHOWN_CHARACTERS = 40


def check_sentence(sentence):
    """Check that a sentence has text, and nothing but text.

    Parameters
    ----------
    sentence : str

    Raises
    ------
    ValueError
        If it is empty, or holds halves of surrogate pairs: what Python makes of arguments that are not UTF-8.
    """
    if not sentence.strip():
        raise ValueError("a sentence must not be empty")
    if any("\ud800" <= character <= "\udfff" for character in sentence):
        shown = sentence[:SHOWN_CHARACTERS]
        raise ValueError(f"a sentence must be UTF-8 text, not {shown!r}{'…' if shown != sentence else ''}")
