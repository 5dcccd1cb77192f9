"""From the design to Verilog."""

import re

from amaranth.back import verilog
from amaranth.hdl import ClockDomain, Module
from systolith_hw.accelerator import Accelerator

from .loops import loop_lowering, loop_source

__all__ = ["TOP", "emit_component", "emit_verilog"]

TOP = "systolith"
"""Name of the top module."""


def emit_verilog(config, *, lowering="stock"):
    """The Verilog of the accelerator.

    Parameters
    ----------
    config : ArrayConfig
    lowering : str
        ``"stock"``: Verilog, for synthesis and any simulator. ``"loops"``: the widest components are
        SystemVerilog that Verilator can turn into SIMD loops; the same behaviour in every cycle.

    Returns
    -------
    str
        Equal for equal configurations; top module :data:`TOP`; no attribute names a file.

    Raises
    ------
    ValueError
        If there is no such lowering.
    """
    if lowering == "stock":
        return emit_component(Accelerator(config))
    if lowering == "loops":
        accelerator = Accelerator(config, lowering=loop_lowering(config))
        return emit_component(accelerator, async_reset=True) + loop_source(config)
    raise ValueError(f"lowering must be 'stock' or 'loops', not {lowering!r}")


def emit_component(component, *, async_reset=False):
    """The Verilog of any component with the ports of :func:`~.ports.device_ports`.

    Parameters
    ----------
    component : amaranth.lib.wiring.Component
    async_reset : bool
        Make the reset asynchronous, which keeps it out of the logic that a simulator evaluates every cycle;
        for a component that drives all its outputs.
    """
    options = {"name": TOP, "emit_src": False, "strip_internal_attrs": True}
    if async_reset:
        top = Module()
        top.domains.sync = domain = ClockDomain("sync", async_reset=True)
        top.submodules.core = component
        members = (getattr(component, name) for name in component.signature.members)
        text = verilog.convert(top, ports=[domain.clk, domain.rst, *members], **options)
    else:
        text = verilog.convert(component, **options)
    return _DECLARED_VALUE.sub(r"  reg \1;\n  initial \2 = \3;", text)


_DECLARED_VALUE = re.compile(r"^  reg ((?:\[[^]]*\] )?(\\?\S+ ?)) = ([^;]*);$", re.MULTILINE)
"""A register with its initial value. In SystemVerilog that is no event, so that what is computed from the
register alone would never be computed; an ``initial`` statement is one in any Verilog.
"""
