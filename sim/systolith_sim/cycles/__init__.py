"""The cycle model: what every descriptor of a queue is charged, without data and without simulating."""

from .cases import MEMORY_BYTES, Case, random_cases
from .compare import Comparison, compare, compare_random
from .compiled import is_compiled
from .prediction import Prediction, predict, predict_completions
from .rtl import run_rtl

__all__ = [
    "MEMORY_BYTES",
    "Case",
    "Comparison",
    "Prediction",
    "compare",
    "compare_random",
    "is_compiled",
    "predict",
    "predict_completions",
    "random_cases",
    "run_rtl",
]
