"""The cycle model: what every descriptor of a queue is charged, without data and without simulating."""

from .cases import MEMORY_BYTES, Case, random_cases
from .compare import Comparison, compare
from .prediction import predict

__all__ = ["MEMORY_BYTES", "Case", "Comparison", "compare", "predict", "random_cases"]
