"""What a controller must know of an SDRAM: JEDEC's single data rate, one chip of 16 bits."""

import dataclasses
import math

from systolith_hw.link import RESET_CYCLES

__all__ = ["IS42S16160G", "OPEN_MIN_CYCLES", "SdramChip", "cycles"]

WORD_BYTES = 2
"""Width of the chip's data bus."""

PADS_NS = 5
"""From the controller's clock to the chip's, and back: an estimate of FPGA pads and board."""

COMMAND_MARGIN_NS = 3

REFRESH_INTERVAL_MIN_CYCLES = 25
"""At low clocks a refresh, with closing a row and opening it again, takes less than half of this."""

OPEN_MIN_CYCLES = 2 * RESET_CYCLES + 128
"""An open row stays so through a reset by the host, and until a refresh is due and has its turn."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class SdramChip:
    """Geometry and timing of a chip, as its data sheet names them.

    Parameters
    ----------
    bank_bits, row_bits, column_bits : int
        Of an address; a column is a word of 16 bits.
    cas_latency : int
        Clock cycles from a read to its data, 2 or 3.
    clock_max_hz : int
        Highest clock at that latency.
    power_up_ns : int
        Before the first command.
    rcd_ns, rp_ns, ras_ns, rc_ns, rfc_ns, wr_ns : int
        tRCD (activate to access), tRP (precharge), tRAS (activate to precharge), tRC (activate to activate of
        one bank), tRFC (refresh), tWR (last write to precharge).
    open_max_ns : int
        The most that tRAS may be.
    ac_ns, oh_ns : float
        tAC (a clock edge to its data), tOH (how long data outlasts the next edge).
    mode_cycles : int
        tMRD (after setting the mode).
    refresh_ns : int
        Every row within this time.
    """

    bank_bits: int
    row_bits: int
    column_bits: int
    cas_latency: int
    clock_max_hz: int
    power_up_ns: int
    rcd_ns: int
    rp_ns: int
    ras_ns: int
    rc_ns: int
    rfc_ns: int
    wr_ns: int
    open_max_ns: int
    ac_ns: float
    oh_ns: float
    mode_cycles: int
    refresh_ns: int

    @property
    def address_bits(self):
        """Bits of a word's address: row, bank, column from the highest on."""
        return self.bank_bits + self.row_bits + self.column_bits

    @property
    def memory_bytes(self):
        return WORD_BYTES << self.address_bits

    def check_clock(self, clock_hz):
        """Check that the chip runs at this clock, and that its rows are refreshed and closed in time.

        Raises
        ------
        ValueError
        """
        refreshed = REFRESH_INTERVAL_MIN_CYCLES / self.refresh_interval_ns
        closed = OPEN_MIN_CYCLES / self.open_max_ns
        lowest = math.ceil(1e9 * max(refreshed, closed))
        if not lowest <= clock_hz <= self.clock_max_hz:
            raise ValueError(
                f"the SDRAM's clock must be from {lowest} to {self.clock_max_hz} Hz, not {clock_hz}"
            )

    @property
    def refresh_interval_ns(self):
        """From one refresh to the next."""
        return self.refresh_ns / (1 << self.row_bits)

    def clock_lag_ns(self, clock_hz):
        """How far the chip's clock lags the controller's, for what it sends to be sampled in the middle.

        The controller's pads sample a read ``cas_latency + 1`` cycles after they have sent it. Commands stand
        still for three nanoseconds round the chip's edge in any case.

        Parameters
        ----------
        clock_hz : int
        """
        period_ns = 1e9 / clock_hz
        middle_ns = (self.cas_latency - 0.5) * period_ns + (self.ac_ns + self.oh_ns) / 2 + PADS_NS
        wanted_ns = (self.cas_latency + 1) * period_ns - middle_ns
        return min(max(wanted_ns, COMMAND_MARGIN_NS), period_ns - COMMAND_MARGIN_NS)


def cycles(duration_ns, clock_hz):
    """Whole clock cycles that last at least so long."""
    return math.ceil(duration_ns * clock_hz / 1e9 - 1e-9)


IS42S16160G = SdramChip(
    bank_bits=2,
    row_bits=13,
    column_bits=9,
    cas_latency=2,
    clock_max_hz=100_000_000,
    power_up_ns=200_000,
    rcd_ns=18,
    rp_ns=18,
    ras_ns=42,
    rc_ns=66,
    rfc_ns=66,
    wr_ns=15,
    open_max_ns=100_000,
    ac_ns=6.0,
    oh_ns=2.5,
    mode_cycles=2,
    refresh_ns=64_000_000,
)
"""32 MiB; the slowest figures of the chips of this size that boards carry in its place."""
