"""A running model."""

import ctypes
import dataclasses
import time
from pathlib import Path

import numpy as np
from systolith_hw.registers import REGISTERS

from .conditions import RegisterEquals, raw_condition
from .errors import NoProgressError, ProtocolError, RegisterError, SimulationError
from .library import Outcome, RawOutstanding, load_library, raw_timing
from .outstanding import Outstanding
from .ports import recorded_ports
from .timing import DEFAULT_TIMING

__all__ = ["RunResult", "Simulator"]

_REGISTER_CYCLES = 1000
_SLICE_SECONDS = 0.05
_FIRST_SLICE_CYCLES = 2000
_RESPONSES = {"slverr": 2, "decerr": 3}
_ALWAYS = 1 << 62


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunResult:
    """How a run ended.

    Members
    -------
    cycles : int
        Cycles run.
    reason : str
        ``"irq"``, ``"memory"`` or ``"register"``: the condition holds; ``"cycles"``: all were run.
    """

    cycles: int
    reason: str


class Simulator:
    """One simulated device: the design, its memory, and a host at its register port.

    Cycle t ends with rising edge t. Cycle 0 is the first after reset; only calls that say so take cycles.

    Parameters
    ----------
    library : path
        From :func:`~.model.build_model`.
    memory_bytes : int
        Size of the device memory, which begins at address 0; zeros at first. Up to 4 GiB; pages that are
        never touched cost nothing.
    timing : MemoryTiming
    memory : ``(memory_bytes,) uint8`` array or None
        The memory itself, contiguous and writable, for example shared with other processes. ``None``: a new
        one.

    Raises
    ------
    TypeError
        If ``memory`` is not such an array.
    ValueError
        If the library is no model, or the memory is not a multiple of 4096 bytes up to 4 GiB.
    """

    _device = None

    def __init__(self, library, *, memory_bytes, timing=DEFAULT_TIMING, memory=None):
        if type(memory_bytes) is not int or memory_bytes % 4096 or not 0 < memory_bytes <= 1 << 32:
            raise ValueError(f"memory_bytes must be a multiple of 4096 up to 4 GiB, not {memory_bytes!r}")
        if memory is None:
            memory = np.zeros(memory_bytes, np.uint8)
        _check_memory(memory, memory_bytes)
        self._call = load_library(library)
        self._memory = memory
        self._timing = timing
        self._device = self._call["open"](self._memory.ctypes.data, memory_bytes)
        self.set_timing(timing)
        self.reset()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def __del__(self):
        self.close()

    def close(self):
        """End the simulation and any waveform. The memory stays readable."""
        device, self._device = self._device, None
        if device is not None:
            self._call["close"](device)

    @property
    def memory(self):
        """The device memory, ``(memory_bytes,) uint8``: the very bytes, not a copy."""
        return self._memory

    @property
    def data_bytes(self):
        """Width of the memory bus in bytes."""
        return self._call["data_bytes"]()

    @property
    def cycles(self):
        """Cycles run since reset."""
        return self._ask("cycle")

    @property
    def seconds(self):
        """Host seconds spent simulating, since the simulator was made."""
        return self._ask("seconds")

    @property
    def irq(self):
        """Whether the interrupt line is high."""
        return bool(self._ask("irq"))

    @property
    def timing(self):
        """The timing that was last set."""
        return self._timing

    @property
    def outstanding(self):
        """The bus transactions that have begun and not ended."""
        raw = RawOutstanding()
        self._ask("outstanding", ctypes.byref(raw))
        return Outstanding.from_raw(raw)

    def reset(self):
        """Reset the device and the bus, and count cycles from 0 again.

        Memory contents, timing and injected errors stay; the stalls begin anew, a waveform ends.

        Raises
        ------
        ProtocolError
            If the device shows a valid signal during reset.
        """
        self._check(self._ask("reset"))

    def set_timing(self, timing):
        """Change the memory's timing from this cycle on; its random stalls begin anew.

        Reads and writes whose last handshake was before keep the latency that they had.
        """
        self._ask("set_timing", ctypes.byref(raw_timing(timing)))
        self._timing = timing

    def inject_error(self, address, length, *, response="slverr", access="both"):
        """Answer accesses to a range of the memory with an error, until :meth:`clear_errors`.

        Of a read, the beats that touch the range carry the response, and zeros; of a write, the whole burst
        if any beat touches it, and nothing is written. Accesses beyond the memory are always answered with
        DECERR in the same way. The earliest of several ranges that apply counts.

        Parameters
        ----------
        address, length : int
            In bytes.
        response : str
            ``"slverr"`` or ``"decerr"``.
        access : str
            ``"read"``, ``"write"`` or ``"both"``.
        """
        if length < 1 or address < 0:
            raise ValueError(f"the range must not be empty or negative, not {length} bytes at {address}")
        if response not in _RESPONSES:
            raise ValueError(f"response must be 'slverr' or 'decerr', not {response!r}")
        if access not in ("read", "write", "both"):
            raise ValueError(f"access must be 'read', 'write' or 'both', not {access!r}")
        read, write = access != "write", access != "read"
        self._ask("add_fault", address, address + length, _RESPONSES[response], read, write)

    def clear_errors(self):
        """Take back every :meth:`inject_error`."""
        self._ask("clear_faults")

    def read_register(self, offset):
        """Read a register in an AXI4-Lite transaction, which takes cycles.

        The address is shown from the next cycle on, and the response taken in the cycle in which it comes.

        Parameters
        ----------
        offset : int
            A multiple of 4 below 256.

        Returns
        -------
        int

        Raises
        ------
        RegisterError
            If the answer is an error, or none within 1000 cycles.
        """
        self._transact("read", offset)
        return self._ask("register_data")

    def write_register(self, offset, value):
        """Write a register in an AXI4-Lite transaction, which takes cycles.

        Address and data are shown from the next cycle on, together.

        Raises
        ------
        RegisterError
            As for :meth:`read_register`.
        """
        if not 0 <= value < 1 << 32:
            raise ValueError(f"value must be an unsigned number of 32 bits, not {value}")
        self._transact("write", offset, value)

    def run(self, *, max_cycles=100_000_000, until="irq"):
        """Run whole cycles until a condition holds.

        The condition is looked at before the first cycle and after each; a device whose ``irq`` is high
        already runs none. ``KeyboardInterrupt`` arrives between two cycles, and :meth:`run` may be called
        again.

        Parameters
        ----------
        max_cycles : int
        until : str, MemoryEquals, RegisterEquals or None
            ``"irq"``: the interrupt line is high; ``None``: exactly ``max_cycles``.

        Returns
        -------
        RunResult

        Raises
        ------
        NoProgressError
            If the condition does not hold after ``max_cycles``.
        ProtocolError
            If the device broke a bus rule.
        SimulationError
            If the model itself failed.
        """
        if max_cycles < 0:
            raise ValueError(f"max_cycles must not be negative, not {max_cycles}")
        start = self.cycles
        if isinstance(until, RegisterEquals):
            while self.read_register(until.offset) & until.mask != until.value:
                if self.cycles - start >= max_cycles:
                    raise self._no_progress(start, until)
            return RunResult(cycles=self.cycles - start, reason="register")
        reason, arguments = raw_condition(until, len(self._memory))
        if not self._run_slices(max_cycles, arguments) and until is not None:
            raise self._no_progress(start, until)
        return RunResult(cycles=self.cycles - start, reason=reason)

    def trace(self, path, *, start=0, stop=None):
        """Write a waveform of the cycles from ``start`` up to, not including, ``stop``.

        In it cycle t takes the 10 ns from 10·t ns on: registers change at 10·t, the inputs at 10·t + 5. It
        ends at ``stop``, with :meth:`end_trace`, the next :meth:`trace`, :meth:`reset` or :meth:`close`.

        Parameters
        ----------
        path : path
            Ends in ``.fst`` for a model of ``Variant.TRACE``, in ``.vcd`` for one of ``Variant.DEBUG``.
        start : int
        stop : int or None
            ``None``: no end.

        Raises
        ------
        ValueError
            If the model cannot write such a file.
        OSError
            If the file cannot be made.
        """
        stop = _ALWAYS if stop is None else stop
        if not 0 <= start < stop:
            raise ValueError(f"the window must not be empty or negative, not {start} to {stop}")
        path = Path(path)
        wanted = self._ask("waveform_suffix").decode()
        if not wanted:
            raise ValueError("this model cannot write waveforms: build one with variant=Variant.TRACE")
        if path.suffix != wanted:
            raise ValueError(f"this model writes {wanted} files, not {path.name!r}")
        # Verilator's writers do not tell why they cannot open a file.
        path.open("wb").close()
        if not self._ask("open_waveform", str(path.absolute()).encode(), start, stop):
            raise OSError(f"the waveform {path} cannot be opened")

    def end_trace(self):
        """End the waveform, if one is being written."""
        self._ask("close_waveform")

    @property
    def recorded_cycles(self):
        """How many of the last cycles :meth:`ports` knows: 0 unless the model is of ``Variant.RECORD``."""
        return self._ask("recorded_cycles")

    @property
    def digest(self):
        """A hash of 64 bits of every output in every cycle since reset.

        Raises
        ------
        ValueError
            If the model does not record.
        """
        self._check_recording()
        return self._ask("digest")

    def ports(self, cycle):
        """The settled values of all outputs and inputs but the clock in one of the last cycles.

        Parameters
        ----------
        cycle : int
            Since reset; one of the last :attr:`recorded_cycles` before :attr:`cycles`.

        Returns
        -------
        dict of str to int
            By port name, the outputs first.

        Raises
        ------
        ValueError
            If the model does not record, or the cycle is not known.
        """
        self._check_recording()
        if cycle < 0 or not (row := self._ask("recorded", cycle)):
            raise ValueError(f"cycle must be one of the last {self.recorded_cycles}, not {cycle}")
        data = np.ctypeslib.as_array(row, (self._ask("recorded_words"),)).tobytes()
        values, start = {}, 0
        for name, (_, words) in recorded_ports(8 * self.data_bytes).items():
            end = start + 4 * words
            values[name] = int.from_bytes(data[start:end], "little")
            start = end
        return values

    def _check_recording(self):
        if not self.recorded_cycles:
            raise ValueError("this model does not record: build one with variant=Variant.RECORD")

    def _ask(self, name, *arguments):
        if self._device is None:
            raise ValueError("the simulator is closed")
        return self._call[name](self._device, *arguments)

    def _run_slices(self, max_cycles, arguments):
        """Run, coming back to Python often enough for Ctrl-C; whether the condition holds."""
        end = self.cycles + max_cycles
        cycles = _FIRST_SLICE_CYCLES
        while True:
            step = min(cycles, end - self.cycles)
            begin = time.perf_counter()
            outcome = self._ask("run", step, *arguments)
            if outcome != Outcome.EXHAUSTED:
                self._check(outcome)
                return True
            if self.cycles >= end:
                return False
            elapsed = time.perf_counter() - begin
            cycles = max(1, round(cycles * min(4.0, _SLICE_SECONDS / max(elapsed, 1e-9))))

    def _transact(self, kind, offset, *value):
        if offset % 4 or not 0 <= offset < 256:
            raise ValueError(f"offset must be a multiple of 4 below 256, not {offset}")
        outcome = self._ask(f"{kind}_register", offset, *value, _REGISTER_CYCLES)
        if outcome == Outcome.EXHAUSTED:
            raise RegisterError(
                f"{kind} of register 0x{offset:02x}: no answer within {_REGISTER_CYCLES} cycles"
            )
        self._check(outcome)
        response = self._ask("register_response")
        if response:
            raise RegisterError(f"{kind} of register 0x{offset:02x} was answered with error {response}")

    def _check(self, outcome):
        if outcome == Outcome.REACHED:
            return
        message = self._ask("message").decode(errors="replace")
        if outcome == Outcome.VIOLATION:
            rule, cycle, detail = message.split("\n")
            raise ProtocolError(rule=rule, cycle=int(cycle), detail=detail)
        raise SimulationError(f"the model failed in cycle {self.cycles}: {message}")

    def _no_progress(self, start, until):
        """The error for a run that ended without what it waited for."""
        what = "irq is low" if until == "irq" else f"{until} does not hold"
        cycles = self.cycles - start
        outstanding = self.outstanding
        try:
            activity = self.read_register(REGISTERS["activity"].offset)
            told = f"activity is 0x{activity:08x}"
        except SimulationError:
            activity = None
            told = "the registers do not answer"
        return NoProgressError(
            f"{what} after {cycles} cycles; {told}; {outstanding}",
            cycles=cycles,
            activity=activity,
            outstanding=outstanding,
        )


def _check_memory(memory, memory_bytes):
    """Check that the model can use an array as its memory: it gets no more than its address."""
    if not isinstance(memory, np.ndarray) or memory.dtype != np.uint8 or memory.shape != (memory_bytes,):
        what = f"{memory.shape} {memory.dtype}" if isinstance(memory, np.ndarray) else repr(memory)
        raise TypeError(f"memory must be an array of ({memory_bytes},) uint8, not {what}")
    if not (memory.flags.c_contiguous and memory.flags.writeable):
        raise TypeError("memory must be contiguous and writable")
