"""What a board says of itself."""

import dataclasses

from systolith_hw.link import BOARD_REGISTERS, LINK_MAGIC, LINK_VERSION, Space

from systolith.errors import LinkError, TargetUnavailable

from .link import Link

__all__ = ["BoardFacts", "greet"]

HELLO_ATTEMPTS = 5
"""Times that the first request is sent."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class BoardFacts:
    """A board's read-only registers.

    Parameters
    ----------
    memory_bytes : int
        Device memory, from address 0.
    clock_hz : int
        The accelerator's clock.
    baud : int
        Bits per second of the line.
    queue_bytes : int
        Bytes of requests that may be sent before the first is answered.
    """

    memory_bytes: int
    clock_hz: int
    baud: int
    queue_bytes: int


def greet(line, baud):
    """Find out who is at the other end of a line.

    Parameters
    ----------
    line : Line
    baud : int

    Returns
    -------
    BoardFacts

    Raises
    ------
    TargetUnavailable
        If nobody answers, or it is a board of another version.
    LinkError
        If the port fails.
    """
    link = Link(line, baud=baud, attempts=HELLO_ATTEMPTS)
    link.synchronize()
    try:
        who = _read(link, "id")
    except LinkError as error:
        if error.__cause__ is not None:
            raise
        raise TargetUnavailable(
            f"no answer from {line.name} at {baud} baud: is it a board with systolith's bitstream, "
            "and is this its line's rate? Another is given as serial:PORT,BAUD"
        ) from None
    if who != LINK_MAGIC:
        raise TargetUnavailable(f"{line.name} is no systolith board: its id is {who:#010x}")
    version = _read(link, "version")
    if version != LINK_VERSION:
        raise TargetUnavailable(
            f"the board at {line.name} has version {version} of the link, this systolith has {LINK_VERSION}: "
            "build its bitstream again, or install the systolith that built it"
        )
    return BoardFacts(**{field.name: _read(link, field.name) for field in dataclasses.fields(BoardFacts)})


def _read(link, name):
    return int.from_bytes(link.read(Space.BOARD, BOARD_REGISTERS[name].offset, 4), "little")
