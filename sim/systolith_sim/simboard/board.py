"""A running simulated board, seen from the other end of its serial line."""

import ctypes
from pathlib import Path

from systolith_hw.baud import bit_period

from systolith_sim.errors import SimulationError

__all__ = ["SimulatedBoard"]

CAPACITY_BYTES = 4096
"""Most bytes that are fetched from a board at once."""

_BOARD = ctypes.c_void_p
_FUNCTIONS = {
    "open": (_BOARD, ctypes.c_uint32),
    "close": (None, _BOARD),
    "message": (ctypes.c_char_p, _BOARD),
    "send": (None, _BOARD, ctypes.c_char_p, ctypes.POINTER(ctypes.c_uint64), ctypes.c_uint32),
    "run": (ctypes.c_int64, _BOARD, ctypes.c_uint64, ctypes.c_void_p, ctypes.c_uint32),
    "cycle": (ctypes.c_uint64, _BOARD),
    "quiet": (ctypes.c_uint64, _BOARD),
    "waiting": (ctypes.c_uint32, _BOARD),
    "leds": (ctypes.c_uint32, _BOARD),
}
"""Result and argument types of the exported functions, by name without the prefix ``board_``."""


class SimulatedBoard:
    """A board that runs when it is told to. Every bit goes over the simulated line.

    Parameters
    ----------
    library : path
        From :func:`~.build.build_board`.
    setup : BoardSetup
        That it was built with.

    Members
    -------
    cycles : int
        Clock cycles since it was switched on.
    quiet_cycles : int
        Clock cycles since anything moved on the line or in memory.
    waiting : int
        Bytes that have been sent to it and are not yet on the line.
    leds : int

    Raises
    ------
    SimulationError
        If the model fails as it is switched on.
    """

    def __init__(self, library, setup):
        loaded = ctypes.CDLL(str(Path(library).absolute()))
        self._call = {}
        for name, (result, *arguments) in _FUNCTIONS.items():
            function = getattr(loaded, f"board_{name}")
            function.restype, function.argtypes = result, arguments
            self._call[name] = function
        self._out = ctypes.create_string_buffer(CAPACITY_BYTES)
        self._board = self._call["open"](bit_period(setup.clock_hz, setup.baud))
        if self._board is None:
            raise SimulationError(self._call["message"](None).decode())

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def close(self):
        """Switch it off. May be called again."""
        if self._board is not None:
            self._call["close"](self._board)
            self._board = None

    cycles = property(lambda self: self._call["cycle"](self._board))
    quiet_cycles = property(lambda self: self._call["quiet"](self._board))
    waiting = property(lambda self: self._call["waiting"](self._board))
    leds = property(lambda self: self._call["leds"](self._board))

    def send(self, data, gaps=None):
        """Put bytes on the line, behind those that wait.

        Parameters
        ----------
        data : bytes
        gaps : sequence of int or None
            Cycles for which the line is idle before each byte; none unless given.
        """
        count = len(data)
        self._call["send"](self._board, bytes(data), (ctypes.c_uint64 * count)(*(gaps or ())), count)

    def run(self, cycles):
        """Run for so many cycles, or until the board has sent something and is silent since.

        Returns
        -------
        bytes
            What it has sent.

        Raises
        ------
        SimulationError
            If the model fails, or sends what is no byte.
        """
        count = self._call["run"](self._board, cycles, self._out, CAPACITY_BYTES)
        if count < 0:
            raise SimulationError(self._call["message"](self._board).decode())
        return self._out.raw[:count]
