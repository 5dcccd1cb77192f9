"""What loading a model from an installed package takes."""

import contextlib
import importlib.util
import pathlib

from transformers.utils import logging

__all__ = ["package_folder", "quiet"]


def package_folder(package, *, title, install):
    """Where a package that holds a model is installed. The package itself is not imported.

    Parameters
    ----------
    package : str
        Its importable name.
    title : str
        The model's name.
    install : str
        What installs it.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    ModuleNotFoundError
        If it is not installed.
    """
    spec = importlib.util.find_spec(package)
    if spec is None:
        raise ModuleNotFoundError(f"{title} is not installed: {install}", name=package)
    return pathlib.Path(spec.origin).parent


@contextlib.contextmanager
def quiet():
    """Keep transformers from reporting its progress, and layers which it was not asked for."""
    verbosity, progress = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if progress:
            logging.enable_progress_bar()
