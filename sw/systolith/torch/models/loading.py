"""What loading a model from an installed package takes."""

import contextlib
import importlib.util
import logging
import pathlib

from transformers import AutoConfig
from transformers.utils import logging as transformers_logging

__all__ = ["load_config", "package_folder", "quiet"]


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


def load_config(folder, *, title, layers):
    """The configuration of a model, of all of its layers or only the first ones, and what it is called.

    Parameters
    ----------
    folder : pathlib.Path
    title : str
        Of the whole model.
    layers : int or None
        None: all.

    Returns
    -------
    config : transformers.PreTrainedConfig
    name : str

    Raises
    ------
    ValueError
        If it has not so many layers.
    """
    config = AutoConfig.from_pretrained(folder, local_files_only=True)
    if layers is None:
        return config, title
    whole = config.num_hidden_layers
    if not 1 <= layers <= whole:
        raise ValueError(f"layers must be from 1 to {whole}, as {title} has, not {layers}")
    config.num_hidden_layers = layers
    return config, f"{title} ({layers} of {whole} layers)"


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
