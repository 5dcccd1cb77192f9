"""A folder to work in, of which nothing stays."""

import contextlib
import fcntl
import os
import shutil
import tempfile
from pathlib import Path

__all__ = ["scratch_folder"]

PREFIX = ".build-"


@contextlib.contextmanager
def scratch_folder(folder):
    """Make a folder within another, for a ``with`` block; what killed processes left there is removed, too.

    Parameters
    ----------
    folder : Path
        Exists. Several processes may work in it at once.

    Yields
    ------
    Path
    """
    with contextlib.ExitStack() as stack:
        # Nobody sweeps a folder away that is made and not yet locked.
        with _locked(folder):
            _sweep(folder)
            scratch = Path(tempfile.mkdtemp(prefix=PREFIX, dir=folder))
            stack.enter_context(_locked(scratch))
            stack.callback(shutil.rmtree, scratch, ignore_errors=True)
        yield scratch


def _sweep(folder):
    """Remove folders of processes that have ended."""
    for remains in folder.glob(f"{PREFIX}*"):
        # It is in use, or has just been removed by who used it.
        with contextlib.suppress(BlockingIOError, FileNotFoundError), _locked(remains, wait=False):
            shutil.rmtree(remains)


@contextlib.contextmanager
def _locked(folder, *, wait=True):
    """Lock a folder. The lock ends with the process, however that ends.

    Raises
    ------
    BlockingIOError
        If another has it and there is to be no wait.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)
