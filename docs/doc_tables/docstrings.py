"""Tables and cells from what is written beside the members of classes."""

import ast
import enum
import inspect
import re

from .markdown import table

__all__ = ["flags", "members", "prose"]


def prose(text: str) -> str:
    """One line of Markdown from the reStructuredText of a docstring."""
    text = re.sub(r":[a-z]+:`~?\.?([^`]+)`", r"`\1`", text)
    return " ".join(text.replace("``", "`").split())


def _attribute_docs(cls: type) -> dict[str, str]:
    """The string below each assignment in the body of a class."""
    (body,) = ast.parse(inspect.getsource(cls)).body
    assert isinstance(body, ast.ClassDef)
    docs = {}
    for statement, following in zip(body.body, body.body[1:], strict=False):
        match statement, following:
            case ast.Assign(targets=[ast.Name(id=name)]), ast.Expr(value=ast.Constant(value=str(text))):
                docs[name] = prose(text)
    return docs


def members(cls: type[enum.IntEnum]) -> str:
    """The members of an enumeration, a row each."""
    docs = _attribute_docs(cls)
    return table(
        ["value", "name", "meaning"],
        [(member.value, f"`{member.name}`", docs.get(member.name, "")) for member in cls],
    )


def flags(cls: type[enum.IntFlag]) -> str:
    """The bits of a register, a row each."""
    docs = _attribute_docs(cls)
    return table(
        ["bit", "name", "meaning"],
        [(flag.value.bit_length() - 1, f"`{flag.name}`", docs.get(flag.name or "", "")) for flag in cls],
    )
