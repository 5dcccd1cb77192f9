"""The cycle model: what every descriptor of a queue is charged, without data and without simulating."""

from .cases import MEMORY_BYTES, Case, random_cases
from .compare import Comparison, compare, compare_random, run_rtl
from .prediction import predict

__all__ = [
    "MEMORY_BYTES",
    "Case",
    "Comparison",
    "compare",
    "compare_random",
    "predict",
    "random_cases",
    "run_rtl",
]
