"""The target ``serial``: the ring driver over a serial line to a board."""

import re
from pathlib import Path

from systolith_hw import ArrayConfig
from systolith_hw.baud import DEFAULT_BAUD
from systolith_hw.manifest import MANIFEST_NAME, Manifest

from systolith.driver import RingDevice
from systolith.errors import ConfigurationMismatch, UnknownTarget

from .configuration import read_configuration
from .line import Line
from .transport import SerialTransport

__all__ = ["open_target"]


def open_target(target, config, argument, *, manifest=None, ring_slots=None, max_cycles=None):
    """Open the board at a serial port; its accelerator is reset.

    Parameters
    ----------
    target : str
    config : ArrayConfig or None
        What the board must hold; None: whatever it holds.
    argument : str
        The port, such as ``/dev/ttyUSB0``, and after a comma the line's rate, 1000000 baud unless given.
    manifest : path or None
        Of the bitstream that the board must run: the file, or its folder. None: any.
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
        If the board holds another accelerator, or runs another bitstream.
    LinkError
        If the port fails.
    OSError
        If the manifest cannot be read.
    ValueError
        If it is none, or tells of another configuration than ``config``.
    """
    port, baud = _parse(argument)
    registers = {}
    if manifest is not None:
        wanted = _read_manifest(Path(manifest))
        if config not in (None, wanted_config := ArrayConfig.parse(wanted.array)):
            raise ValueError(f"the manifest tells of array {wanted.array}, not {config}")
        config, registers = wanted_config, wanted.board_registers()
    line = Line(port, baud)
    try:
        transport = SerialTransport(line, baud)
        _check_board(transport, registers)
        transport.reset()
        if config is None:
            config = read_configuration(transport.read_register)
        return RingDevice(target, config, transport, ring_slots=ring_slots, max_cycles=max_cycles)
    except BaseException:
        line.close()
        raise


def _read_manifest(path):
    if path.is_dir():
        path /= MANIFEST_NAME
    try:
        return Manifest.parse(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _check_board(transport, registers):
    """Check that the board's own registers hold what is wanted of them."""
    came = transport.read_board_registers(*registers)
    differences = {
        name: (wanted, value)
        for (name, wanted), value in zip(registers.items(), came, strict=True)
        if value != wanted
    }
    if differences:
        raise ConfigurationMismatch(differences)


def _parse(argument):
    """The port and the rate."""
    port, _, rate = argument.partition(",")
    if not port or ("," in argument and not re.fullmatch("[1-9][0-9]{0,8}", rate)):
        raise UnknownTarget(
            f"target must be serial:PORT[,BAUD], BAUD from 1 to 999999999, not 'serial:{argument}'"
        )
    return port, int(rate or DEFAULT_BAUD)
