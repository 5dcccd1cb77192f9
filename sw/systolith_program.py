"""The ``systolith`` program: Ctrl-C is answered from its first moment on, while the rest is imported."""

import sys

__all__ = ["main"]


def main():
    """Entry point: the command line of :mod:`systolith.cli`."""
    try:
        from systolith.cli import main as run

        run()
    except KeyboardInterrupt:
        sys.stderr.write("systolith: interrupted\n")
        sys.exit(130)
