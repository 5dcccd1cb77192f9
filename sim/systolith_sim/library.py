"""The C interface of a built model, as :mod:`ctypes` sees it."""

import ctypes
import enum
from pathlib import Path

from .timing import CHANNELS

__all__ = ["Outcome", "RawOutstanding", "Until", "load_library", "raw_timing"]


class Outcome(enum.IntEnum):
    """Why a call returned."""

    REACHED = 0
    EXHAUSTED = 1
    VIOLATION = 2
    FATAL = 3


class Until(enum.IntEnum):
    """What a run waits for."""

    CYCLES = 0
    IRQ = 1
    MEMORY = 2


class _RawTiming(ctypes.Structure):
    _fields_ = [
        ("read_latency", ctypes.c_uint64),
        ("write_latency", ctypes.c_uint64),
        ("read_numerator", ctypes.c_uint64),
        ("read_denominator", ctypes.c_uint64),
        ("write_numerator", ctypes.c_uint64),
        ("write_denominator", ctypes.c_uint64),
        ("stall_threshold", ctypes.c_uint64 * len(CHANNELS)),
        ("seed", ctypes.c_uint64),
    ]


class RawOutstanding(ctypes.Structure):
    """What the memory has not completed."""

    _fields_ = [
        ("reads", ctypes.c_uint64),
        ("read_address", ctypes.c_uint64),
        ("read_beats", ctypes.c_uint64),
        ("writes", ctypes.c_uint64),
        ("write_address", ctypes.c_uint64),
        ("write_beats", ctypes.c_uint64),
        ("early_beats", ctypes.c_uint64),
        ("waiting", ctypes.c_uint64),
    ]


def raw_timing(timing):
    """The structure that tells a model its :class:`~.timing.MemoryTiming`."""
    thresholds = [round(timing.stall_probability[channel] * (1 << 32)) for channel in CHANNELS]
    return _RawTiming(
        timing.latency_cycles,
        timing.write_latency_cycles,
        *timing.read_bandwidth.as_integer_ratio(),
        *timing.write_bandwidth.as_integer_ratio(),
        (ctypes.c_uint64 * len(CHANNELS))(*thresholds),
        timing.seed,
    )


_DEVICE = ctypes.c_void_p
_FUNCTIONS = {
    "data_bytes": (ctypes.c_uint32,),
    "open": (_DEVICE, ctypes.c_void_p, ctypes.c_uint64),
    "close": (None, _DEVICE),
    "message": (ctypes.c_char_p, _DEVICE),
    "reset": (ctypes.c_int32, _DEVICE),
    "set_timing": (None, _DEVICE, ctypes.POINTER(_RawTiming)),
    "add_fault": (None, _DEVICE, *[ctypes.c_uint64] * 2, *[ctypes.c_uint32] * 3),
    "clear_faults": (None, _DEVICE),
    "run": (
        ctypes.c_int32,
        *(_DEVICE, ctypes.c_uint64, ctypes.c_int32, ctypes.c_uint64, ctypes.c_uint32, ctypes.c_uint32),
    ),
    "write_register": (ctypes.c_int32, _DEVICE, ctypes.c_uint32, ctypes.c_uint32, ctypes.c_uint64),
    "read_register": (ctypes.c_int32, _DEVICE, ctypes.c_uint32, ctypes.c_uint64),
    "register_data": (ctypes.c_uint32, _DEVICE),
    "register_response": (ctypes.c_uint32, _DEVICE),
    "cycle": (ctypes.c_uint64, _DEVICE),
    "seconds": (ctypes.c_double, _DEVICE),
    "irq": (ctypes.c_uint32, _DEVICE),
    "outstanding": (None, _DEVICE, ctypes.POINTER(RawOutstanding)),
    "waveform_suffix": (ctypes.c_char_p, _DEVICE),
    "open_waveform": (ctypes.c_uint32, _DEVICE, ctypes.c_char_p, ctypes.c_uint64, ctypes.c_uint64),
    "close_waveform": (None, _DEVICE),
    "recorded_cycles": (ctypes.c_uint64, _DEVICE),
    "recorded_words": (ctypes.c_uint64, _DEVICE),
    "digest": (ctypes.c_uint64, _DEVICE),
    "recorded": (ctypes.POINTER(ctypes.c_uint32), _DEVICE, ctypes.c_uint64),
}
"""Result and argument types of the exported functions, by name without the prefix ``systolith_``."""


def load_library(path):
    """The functions of a built model, by name without their prefix.

    Raises
    ------
    OSError
        If the file cannot be loaded.
    ValueError
        If it is no model built by :mod:`systolith_sim`.
    """
    library = ctypes.CDLL(str(Path(path).absolute()))
    functions = {}
    for name, (result, *arguments) in _FUNCTIONS.items():
        try:
            function = getattr(library, f"systolith_{name}")
        except AttributeError:
            raise ValueError(f"{path} is not a model built by systolith_sim: it lacks {name!r}") from None
        function.restype = result
        function.argtypes = arguments
        functions[name] = function
    return functions
