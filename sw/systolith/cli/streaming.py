"""Text that is shown as it is made, and beside it how far it is."""

import rich.console
import rich.live
import rich.text
import typer

from .output import printable, results

__all__ = ["TextStream"]


class TextStream:
    """Shows a growing text on stdout and a line that tells of its progress.

    On a terminal the line stays below the text and goes in the end; otherwise there is a line on stderr for
    every step.

    Parameters
    ----------
    shown : bool
        Whether the text is shown. The progress is told in any case.
    """

    def __init__(self, *, shown):
        self._shown = shown
        self._text = ""
        self._live = None
        if shown and results.is_terminal:
            self._live = rich.live.Live(console=results, auto_refresh=False)

    def __enter__(self):
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *exception):
        if self._live is not None:
            self._live.update(rich.text.Text(self._text), refresh=True)
            self._live.stop()
        elif self._text:
            typer.echo()

    def add(self, piece, progress):
        """Show some more text, and how far it is now."""
        piece = "\n".join(map(printable, piece.split("\n")))
        self._text += piece
        if self._live is not None:
            line = rich.text.Text(progress, style="dim")
            self._live.update(rich.console.Group(rich.text.Text(self._text), line), refresh=True)
            return
        if self._shown:
            typer.echo(piece, nl=False)
        else:
            self._text = ""
        typer.echo(progress, err=True)
