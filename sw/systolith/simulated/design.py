"""The emitted design."""

import systolith_sim

from .errors import translated_errors

__all__ = ["emit_verilog"]


def emit_verilog(config, *, lowering="stock", progress=None):
    """The accelerator as Verilog, from the cache if it has been emitted before.

    Parameters
    ----------
    config : ArrayConfig
    lowering : str
        ``"stock"``: Verilog for any tool; ``"loops"``: SystemVerilog that Verilator turns into SIMD loops.
    progress : callable or None
        Called with a line of text before anything that takes long.

    Returns
    -------
    str

    Raises
    ------
    TargetUnavailable
        If a module is missing or the cache folder cannot be used.
    """
    with translated_errors("emitting Verilog"):
        return systolith_sim.cached_verilog(config, lowering=lowering, progress=progress)
