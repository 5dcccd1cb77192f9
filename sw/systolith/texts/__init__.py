"""Texts in the public domain, for calibration and evaluation."""

from .catalog import TEXTS, Text, load_text

__all__ = ["TEXTS", "Text", "load_text"]
