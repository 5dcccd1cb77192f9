"""Commands to an SDRAM: powering up, refreshing, opening rows, reading and writing."""

import enum

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from .chip import OPEN_MIN_CYCLES, cycles

__all__ = ["Command", "SdramPins", "SdramSequencer", "Segment"]

POWER_UP_REFRESHES = 8
ALL_BANKS = 1 << 10
"""Address bit 10 with a precharge."""


class Command(enum.IntEnum):
    """The pins ``ras``, ``cas`` and ``we``, from bit 0 on."""

    NOP = 0b000
    ACTIVATE = 0b001
    READ = 0b010
    REFRESH = 0b011
    PRECHARGE = 0b101
    WRITE = 0b110
    SET_MODE = 0b111


class SdramPins(wiring.Signature):
    """The chip's pins, all of them active high, and all outputs from registers.

    Parameters
    ----------
    chip : SdramChip
    """

    def __init__(self, chip):
        super().__init__(
            {
                "clk_en": Out(1),
                "cs": Out(1),
                "ras": Out(1),
                "cas": Out(1),
                "we": Out(1),
                "ba": Out(chip.bank_bits),
                "a": Out(chip.row_bits),
                "dqm": Out(2),
                "dq_o": Out(16),
                "dq_oe": Out(1),
                "dq_i": In(16),
            }
        )


class Segment(data.StructLayout):
    """Consecutive words of one row, to be read or written.

    Fields
    ------
    write : 1
    column, bank, row
        Of the first word.
    more : column_bits
        Number of words, minus 1.
    """

    def __init__(self, chip):
        super().__init__(
            {
                "write": 1,
                "column": chip.column_bits,
                "bank": chip.bank_bits,
                "row": chip.row_bits,
                "more": chip.column_bits,
            }
        )


class SdramSequencer(wiring.Component):
    """Reads and writes segments of rows, a word per cycle while both sides keep up.

    A row stays open until another one is needed or a refresh is due. A refresh interrupts a segment. A reset
    leaves alone what the chip holds: the row is closed and what was missed is refreshed before anything else.

    Parameters
    ----------
    chip : SdramChip
    clock_hz : int

    Members
    -------
    segments : stream of Segment
        Back-pressure is honoured.
    room : 1
        What is read next can be taken when it comes.
    write_data, write_mask : 16, 2
        The word to be written, and which of its bytes are.
    write_valid, write_ready : 1
        Handshake of the two. Back-pressure is honoured.
    issued : 1
        A word is being read.
    read_data, read_valid : 16, 1
        The words in their order. Must be taken at once.
    pins : SdramPins
        A register of the pad follows each output and precedes each input; the chip's clock lags so that what
        it sends a cycle after CAS latency is there at the end of that cycle.

    Latency
    -------
    ``LATENCY + cas_latency`` cycles from ``issued`` to ``read_valid``.
    """

    LATENCY = 3
    """The register of the pins, and those of the pads on both ways."""

    def __init__(self, chip, *, clock_hz):
        chip.check_clock(clock_hz)
        self._chip = chip
        self._cycles = {
            name: cycles(getattr(chip, f"{name}_ns"), clock_hz)
            for name in ("power_up", "rcd", "rp", "ras", "rc", "rfc", "wr")
        }
        self._refresh_cycles = int(chip.refresh_interval_ns * clock_hz / 1e9)
        self._refreshes = max(POWER_UP_REFRESHES, -(-OPEN_MIN_CYCLES // self._refresh_cycles))
        super().__init__(
            {
                "segments": In(stream.Signature(Segment(chip))),
                "room": In(1),
                "write_data": In(16),
                "write_mask": In(2),
                "write_valid": In(1),
                "write_ready": Out(1),
                "issued": Out(1),
                "read_data": Out(16),
                "read_valid": Out(1),
                "pins": Out(SdramPins(chip)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        chip, wait_cycles = self._chip, self._cycles
        command = Signal(Command)
        address = Signal(chip.row_bits)
        bank = Signal(chip.bank_bits)
        segment = Signal(Segment(chip))
        busy = Signal()
        is_open = Signal()
        open_row = Signal(chip.row_bits)
        open_bank = Signal(chip.bank_bits)
        is_hit = Signal()
        # A chip that is on must not wait for power after a reset: its row may not stay open for so long.
        is_on = Signal(reset_less=True)

        # Cycles until a command may follow: any, a precharge, a write.
        wait = Signal(range(max(wait_cycles.values()) + 1))
        keep_open = Signal(range(max(wait_cycles["ras"], wait_cycles["rc"], wait_cycles["wr"]) + 1))
        keep_reading = Signal(range(chip.cas_latency + 2))
        for timer in (wait, keep_open, keep_reading):
            with m.If(timer != 0):
                m.d.sync += timer.eq(timer - 1)

        refresh_due = self._refresh_timer(m, command)
        # As many as powering up needs, and as a reset may have missed.
        refreshes = Signal(range(self._refreshes + 1), init=self._refreshes)
        m.d.comb += bank.eq(segment.bank)
        m.d.sync += is_hit.eq(is_open & (open_row == segment.row) & (open_bank == segment.bank))

        def issue(which, *, then_wait, on=0):
            m.d.comb += [command.eq(which), address.eq(on)]
            m.d.sync += wait.eq(then_wait - 1)

        with m.FSM():
            with m.State("POWER UP"):
                longest = max(wait_cycles[name] for name in ("ras", "rc", "rfc", "wr"))
                m.d.sync += wait.eq(Mux(is_on, longest, wait_cycles["power_up"]))
                m.next = "CLOSE ALL"
            with m.State("CLOSE ALL"), m.If(wait == 0):
                issue(Command.PRECHARGE, then_wait=wait_cycles["rp"], on=ALL_BANKS)
                m.next = "REFRESH ALL"
            with m.State("REFRESH ALL"), m.If(wait == 0):
                issue(Command.REFRESH, then_wait=wait_cycles["rfc"])
                m.d.sync += refreshes.eq(refreshes - 1)
                with m.If(refreshes == 1):
                    m.next = "SET MODE"
            with m.State("SET MODE"), m.If(wait == 0):
                # Bursts of one word, in reading and in writing.
                issue(Command.SET_MODE, then_wait=chip.mode_cycles, on=chip.cas_latency << 4)
                m.d.comb += bank.eq(0)
                m.d.sync += is_on.eq(1)
                m.next = "TAKE"
            with m.State("TAKE"):
                m.d.comb += self.segments.ready.eq(~busy)
                with m.If(self.segments.ready & self.segments.valid):
                    m.d.sync += [segment.eq(self.segments.payload), busy.eq(1)]
                with m.If(refresh_due | busy | self.segments.valid):
                    m.next = "COMPARE"
            with m.State("COMPARE"):
                m.next = "CHOOSE"
            with m.State("CHOOSE"), m.If(wait == 0):
                with m.If(is_hit & busy & ~refresh_due):
                    m.next = "ACCESS"
                with m.Elif(is_open):
                    with m.If(keep_open == 0):
                        issue(Command.PRECHARGE, then_wait=wait_cycles["rp"], on=ALL_BANKS)
                        m.d.sync += is_open.eq(0)
                with m.Elif(refresh_due):
                    issue(Command.REFRESH, then_wait=wait_cycles["rfc"])
                    m.next = "TAKE"
                with m.Elif(busy):
                    issue(Command.ACTIVATE, then_wait=wait_cycles["rcd"], on=segment.row)
                    m.d.sync += [
                        is_open.eq(1),
                        open_row.eq(segment.row),
                        open_bank.eq(segment.bank),
                        keep_open.eq(max(wait_cycles["ras"], wait_cycles["rc"] - wait_cycles["rp"]) - 1),
                    ]
                    m.next = "COMPARE"
                with m.Else():
                    m.next = "TAKE"
            with m.State("ACCESS"), m.If(wait == 0):
                self._access(m, segment, command, address, keep_reading)
                with m.If(command == Command.READ):
                    m.d.sync += keep_reading.eq(chip.cas_latency + 1)
                with m.If((command == Command.WRITE) & (keep_open < wait_cycles["wr"])):
                    m.d.sync += keep_open.eq(wait_cycles["wr"])
                with m.If(command != Command.NOP):
                    m.d.sync += [segment.column.eq(segment.column + 1), segment.more.eq(segment.more - 1)]
                    with m.If(segment.more == 0):
                        m.d.sync += busy.eq(0)
                        m.next = "TAKE"
                with m.If(refresh_due):
                    m.next = "TAKE"

        self._drive_pins(m, command, address, bank)
        return m

    def _refresh_timer(self, m, command):
        """Whether a refresh is due: it comes within the cycles that closing a row takes."""
        left = Signal(range(self._refresh_cycles), init=self._refresh_cycles - 1)
        due = Signal()
        with m.If(command == Command.REFRESH):
            m.d.sync += due.eq(0)
        m.d.sync += left.eq(Mux(left == 0, self._refresh_cycles - 1, left - 1))
        with m.If(left == 0):
            m.d.sync += due.eq(1)
        return due

    def _access(self, m, segment, command, address, keep_reading):
        """Read or write a word, if the other side is ready for it."""
        m.d.comb += address.eq(segment.column)
        with m.If(segment.write):
            m.d.comb += self.write_ready.eq(keep_reading == 0)
            with m.If(self.write_ready & self.write_valid):
                m.d.comb += command.eq(Command.WRITE)
        with m.Elif(self.room):
            m.d.comb += [command.eq(Command.READ), self.issued.eq(1)]

    def _drive_pins(self, m, command, address, bank):
        pins = self.pins
        is_write = command == Command.WRITE
        reading = Signal(self.LATENCY + self._chip.cas_latency)
        m.d.sync += [
            pins.clk_en.eq(1),
            pins.cs.eq(1),
            Cat(pins.ras, pins.cas, pins.we).eq(command),
            pins.a.eq(address),
            pins.ba.eq(bank),
            pins.dqm.eq(Mux(is_write, ~self.write_mask, 0)),
            pins.dq_o.eq(self.write_data),
            pins.dq_oe.eq(is_write),
            reading.eq(Cat(self.issued, reading)),
        ]
        m.d.comb += [self.read_data.eq(pins.dq_i), self.read_valid.eq(reading[-1])]
