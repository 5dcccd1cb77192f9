"""A simulated board at a pseudo-terminal, which programs use like a serial port."""

import os
import select
import time
import tty

from systolith_hw.baud import BITS_PER_BYTE
from systolith_hw.link import IDLE_BYTES

from .damage import Damage

__all__ = ["serve"]

SLICE_BYTES = 64
"""Bytes' time that a board runs before the terminal is looked at."""

REST_BYTES = 4 * IDLE_BYTES
"""Bytes' time after which a board where nothing moves is stopped until it is sent something."""

STALL_SECONDS = 1.0
"""After which what a host does not fetch is lost, as a serial port would lose it."""


def serve(board, setup, *, error_rate=0.0, seed=0, ready=None):
    """Offer a board at a new pseudo-terminal until the process is interrupted.

    Parameters
    ----------
    board : SimulatedBoard
    setup : BoardSetup
        That it was built with.
    error_rate : float
        Probability with which each byte is damaged, in both directions.
    seed : int
        Of the damage.
    ready : callable or None
        Called with the terminal's path as soon as it can be opened.

    Raises
    ------
    SimulationError
        If the model fails.
    """
    master, slave = os.openpty()
    try:
        # As a serial port that is not a console: nothing is edited or echoed.
        tty.setraw(slave)
        # Kept open here, so that the terminal lives on when a host closes it.
        _Server(board, setup, master, error_rate=error_rate, seed=seed).run(ready, os.ttyname(slave))
    finally:
        os.close(slave)
        os.close(master)


class _Server:
    def __init__(self, board, setup, terminal, *, error_rate, seed):
        self._board = board
        self._terminal = terminal
        self._byte_cycles = BITS_PER_BYTE * setup.clock_hz / setup.baud
        delays = {"delay_max": 2 * IDLE_BYTES}
        self._towards_board = Damage(error_rate, seed=2 * seed, **delays)
        self._towards_host = Damage(error_rate, seed=2 * seed + 1, **delays)
        self._held = []

    def run(self, ready, name):
        os.set_blocking(self._terminal, False)
        if ready is not None:
            ready(name)
        rest_cycles = int(REST_BYTES * self._byte_cycles)
        slice_cycles = int(SLICE_BYTES * self._byte_cycles)
        while True:
            is_resting = not self._held and self._board.quiet_cycles > rest_cycles
            if select.select([self._terminal], [], [], None if is_resting else 0)[0]:
                self._send(os.read(self._terminal, 1 << 16))
            self._deliver(self._board.run(slice_cycles))

    def _send(self, data):
        damaged = self._towards_board.pass_through(data)
        gaps = [int(byte.delay * self._byte_cycles) for byte in damaged]
        self._board.send(bytes(byte.value for byte in damaged), gaps)

    def _deliver(self, data):
        """Hand on what the board has sent, except from a delayed byte on."""
        cycles = self._board.cycles
        for byte in self._towards_host.pass_through(data):
            due = max(cycles + byte.delay * self._byte_cycles, self._held[-1][0] if self._held else 0)
            self._held.append((due, byte.value))
        count = next((i for i, (due, _) in enumerate(self._held) if due > cycles), len(self._held))
        octets = bytes(value for _, value in self._held[:count])
        del self._held[:count]
        deadline = time.monotonic() + STALL_SECONDS
        while octets:
            patience = max(0.0, deadline - time.monotonic())
            if not select.select([], [self._terminal], [], patience)[1]:
                return
            octets = octets[os.write(self._terminal, octets) :]
