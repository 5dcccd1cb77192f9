"""PyTorch models on the device."""

from .offload import offload, repack
from .placement import report
from .report import Report, Row
from .verify import Mismatch, Verifier

__all__ = ["Mismatch", "Report", "Row", "Verifier", "offload", "repack", "report"]
