"""Text that a model can take, checked without loading one."""

__all__ = ["check_text", "shown"]

SHOWN_CHARACTERS = 40


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
