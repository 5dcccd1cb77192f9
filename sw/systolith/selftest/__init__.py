"""A device checked from its registers to whole products: where does it begin to be wrong."""

from .outcome import Outcome, Status
from .suite import CHECKS, Effort, Row, selftest

__all__ = ["CHECKS", "Effort", "Outcome", "Row", "Status", "selftest"]
