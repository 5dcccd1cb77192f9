"""The target ``serial``: the ring driver over a serial line to a board."""

import re

from systolith_hw.baud import DEFAULT_BAUD

from systolith.driver import RingDevice
from systolith.errors import UnknownTarget

from .configuration import read_configuration
from .line import Line
from .transport import SerialTransport

__all__ = ["open_target"]


def open_target(target, config, argument, *, ring_slots=None, max_cycles=None):
    """Open the board at a serial port; its accelerator is reset.

    Parameters
    ----------
    target : str
    config : ArrayConfig or None
        What the board must hold; None: whatever it holds.
    argument : str
        The port, such as ``/dev/ttyUSB0``, and after a comma the line's rate, 1000000 baud unless given.
    ring_slots, max_cycles
        As for :class:`RingDevice`.

    Returns
    -------
    RingDevice

    Raises
    ------
    UnknownTarget
        If the argument is no port and rate.
    TargetUnavailable
        If the port cannot be opened, or no board of this link's version answers.
    ConfigurationMismatch
        If the board holds another accelerator.
    LinkError
        If the port fails.
    """
    port, baud = _parse(argument)
    line = Line(port, baud)
    try:
        transport = SerialTransport(line, baud)
        transport.reset()
        if config is None:
            config = read_configuration(transport.read_register)
        return RingDevice(target, config, transport, ring_slots=ring_slots, max_cycles=max_cycles)
    except BaseException:
        line.close()
        raise


def _parse(argument):
    """The port and the rate."""
    port, _, rate = argument.partition(",")
    if not port or ("," in argument and not re.fullmatch("[1-9][0-9]{0,8}", rate)):
        raise UnknownTarget(f"target must be serial:PORT[,BAUD], BAUD a number, not 'serial:{argument}'")
    return port, int(rate or DEFAULT_BAUD)
