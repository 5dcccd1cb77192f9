"""What loading a model from an installed package takes."""

import contextlib
import importlib.util
import logging
import pathlib

from transformers.utils import logging as transformers_logging

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
    """Keep transformers, and what it imports, from reporting what does not concern the models here.

    Such as its progress, layers which it was not asked for, and torchao's kernels for other machines.
    """
    disabled, progress = logging.root.manager.disable, transformers_logging.is_progress_bar_enabled()
    logging.disable(logging.WARNING)
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.disable(disabled)
        if progress:
            transformers_logging.enable_progress_bar()
