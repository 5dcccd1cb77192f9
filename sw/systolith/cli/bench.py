"""``systolith bench``: the figures that the design promises, measured."""

import typer

from .bench_all import bench_all
from .bench_cycles import bench_cycles
from .bench_gemm import bench_gemm
from .bench_pool import bench_pool
from .bench_sim import bench_sim

__all__ = ["bench"]

bench = typer.Typer(help="The figures that the design promises, measured.", no_args_is_help=True)


@bench.callback()
def group() -> None:
    """The figures that the design promises, measured."""


bench.command("all")(bench_all)
bench.command("cycles")(bench_cycles)
bench.command("gemm")(bench_gemm)
bench.command("pool")(bench_pool)
bench.command("sim")(bench_sim)
