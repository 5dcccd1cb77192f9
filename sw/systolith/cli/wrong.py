"""What is wrong with an argument, in plain words."""

import typer

__all__ = ["describe"]

KINDS = {int: "an integer", float: "a number"}


def describe(error):
    """The message for a :class:`typer.TyperException`, with the parser's own wording replaced."""
    refusals = getattr(error.__cause__, "errors", None)
    if not isinstance(error, typer.BadParameter) or error.param is None or refusals is None:
        return error.format_message()
    wanted = _wanted(error.param)
    if wanted is not None:
        error.message = f"must be {wanted}, not {refusals()[0]['input']!r}"
    return error.format_message()


def _wanted(parameter):
    described = parameter.type_descriptor
    if described.choices is not None:
        return " or ".join(str(choice.value) for choice in described.choices)
    kind = KINDS.get(described.annotation)
    if kind is None:
        return None
    low, high = described.parameter_info.min, described.parameter_info.max
    if high is None:
        return kind if low is None else f"{kind} of at least {low}"
    return f"{kind} from {low} to {high}"
