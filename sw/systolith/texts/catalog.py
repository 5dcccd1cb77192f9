"""The texts by name, and where they come from."""

import importlib.resources
from typing import NamedTuple

__all__ = ["TEXTS", "Text", "load_text"]


class Text(NamedTuple):
    """Where a text comes from.

    Members
    -------
    author, title : str
    year : int
        Of publication; both are in the public domain everywhere.
    """

    author: str
    title: str
    year: int


TEXTS = {
    "gettysburg_address": Text("Abraham Lincoln", "Gettysburg Address (the Bliss copy)", 1863),
    "pride_and_prejudice": Text("Jane Austen", "Pride and Prejudice, chapter 1", 1813),
}


def load_text(name):
    """A text.

    Parameters
    ----------
    name : str
        In :data:`TEXTS`.

    Returns
    -------
    str
    """
    return importlib.resources.files(__package__).joinpath(f"{name}.txt").read_text(encoding="utf-8")
