"""Measurements of what the design document promises."""

from .gemm import GemmCase, GemmResult, gemm_cases, run_gemm_case

__all__ = ["GemmCase", "GemmResult", "gemm_cases", "run_gemm_case"]
