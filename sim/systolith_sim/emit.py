"""From the design to Verilog."""

from amaranth.back import verilog
from systolith_hw.accelerator import Accelerator

__all__ = ["TOP", "emit_component", "emit_verilog"]

TOP = "systolith"
"""Name of the top module."""


def emit_verilog(config):
    """The Verilog of the accelerator.

    Parameters
    ----------
    config : ArrayConfig

    Returns
    -------
    str
        Equal for equal configurations; top module :data:`TOP`; no attribute names a file.
    """
    return emit_component(Accelerator(config))


def emit_component(component):
    """The Verilog of any component with the ports of :func:`~.ports.device_ports`.

    Parameters
    ----------
    component : amaranth.lib.wiring.Component
    """
    return verilog.convert(component, name=TOP, emit_src=False, strip_internal_attrs=True)
