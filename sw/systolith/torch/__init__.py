"""PyTorch models on the device."""

from .offload import offload, repack
from .verify import Mismatch, Verifier

__all__ = ["Mismatch", "Verifier", "offload", "repack"]
