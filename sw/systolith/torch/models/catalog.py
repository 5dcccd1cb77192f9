"""The models that the command line knows, by name."""

from .minilm import load_minilm
from .smollm2 import load_smollm2

__all__ = ["MODELS"]

MODELS = {"minilm": load_minilm, "smollm2": load_smollm2}
"""What loads each; called with ``layers`` and ``progress``."""
