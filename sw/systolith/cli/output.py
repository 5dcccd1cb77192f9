"""Where the commands print: results on stdout, everything else on stderr."""

import json
import unicodedata

import rich.box
import rich.console
import rich.table
import typer

__all__ = [
    "cycle_origin",
    "cycles_by_device",
    "finish",
    "number",
    "percent",
    "printable",
    "progress",
    "results",
    "table",
]

PIPE_COLUMNS = 132
"""Width of what is printed to something that is not a terminal."""

CONTROLS = ("Cc", "Cf", "Cs", "Zl", "Zp")
"""Unicode categories of what is not shown but acted on."""

JOINERS = "\u200c\u200d"
"""Of letters and emoji: harmless."""

results = rich.console.Console(highlight=False)
"""Results for people, on stdout."""
if not results.is_terminal:
    results.width = PIPE_COLUMNS


def finish(data, *, as_json, ok, render):
    """Print a command's result and end the command.

    Parameters
    ----------
    data : dict
        What ``--json`` prints.
    as_json : bool
    ok : bool
        Whether all checks held: the exit code is 0, otherwise 1.
    render : callable
        Prints the result for people; called without arguments.
    """
    if as_json:
        typer.echo(json.dumps(data, allow_nan=False))
    else:
        render()
    raise typer.Exit(0 if ok else 1)


def table(title, *columns):
    """An empty table whose first column is text and whose others are numbers; its title may be None."""
    result = rich.table.Table(title=title, title_justify="left", title_style="bold", box=rich.box.SIMPLE_HEAD)
    for index, column in enumerate(columns):
        result.add_column(column, justify="right" if index else "left", no_wrap=True)
    return result


def number(value):
    """A count with thousands separated, or a dash for what the target does not know."""
    return "–" if value is None else f"{value:,}"


def cycle_origin(data):
    """Where the cycles among a command's results come from."""
    if data["cycle_source"] is None:
        return f"the target {data['target']} has no notion of cycles"
    return f"cycles {data['cycle_source']}"


def cycles_by_device(data):
    """What each of several devices took, in results of a target with cycles."""
    each = ", ".join(map(number, data["device_cycles"]))
    last = number(data["makespan_cycles"])
    return f"{data['devices']} devices: {each}; {last} until the last was done"


def printable(text):
    """Text of someone else's with escapes in place of what could control the terminal."""
    return "".join(
        character.encode("unicode_escape").decode()
        if unicodedata.category(character) in CONTROLS and character not in JOINERS
        else character
        for character in text
    )


def progress(line):
    """Tell on stderr what is begun that may take long."""
    typer.echo(f"{line} …", err=True)


def percent(value):
    """A ratio in percent with one decimal, or a dash."""
    return "–" if value is None else f"{100 * value:.1f} %"
