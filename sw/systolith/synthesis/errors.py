"""What goes wrong in the synthesis, told as what goes wrong with a device."""

import contextlib

from systolith.errors import DeviceError, TargetUnavailable

__all__ = ["BuildFailed", "translated_errors"]


class BuildFailed(DeviceError):  # noqa: N818 -- as its family
    """There is no bitstream: the design does not fit, or a tool refused it."""


@contextlib.contextmanager
def translated_errors():
    """Raise what the synthesis raises in a ``with`` block as one of :mod:`systolith.errors`.

    Raises
    ------
    TargetUnavailable
        If a tool is missing.
    BuildFailed
        If a tool refuses its input, or a file cannot be read or written.
    """
    from systolith_hw.boards.tools import FlowError, MissingToolError

    try:
        yield
    except MissingToolError as error:
        raise TargetUnavailable(str(error)) from error
    except (FlowError, OSError) as error:
        raise BuildFailed(str(error)) from error
