"""Real models, from packages that install without a model hub."""

from .catalog import MODELS
from .language import LanguageModel
from .minilm import load_minilm
from .sentence import SentenceModel
from .smollm2 import load_smollm2

__all__ = ["MODELS", "LanguageModel", "SentenceModel", "load_minilm", "load_smollm2"]
