"""PyTorch models on the device."""

from .calibration import Calibration, calibrate
from .offload import offload, repack
from .placement import report
from .report import Report, Row
from .scheme import Scheme
from .verify import Mismatch, Verifier

__all__ = [
    "Calibration",
    "Mismatch",
    "Report",
    "Row",
    "Scheme",
    "Verifier",
    "calibrate",
    "offload",
    "repack",
    "report",
]
