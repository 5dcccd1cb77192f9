"""An SDRAM and the pads before it for Amaranth's simulator, which checks the rules of the data sheet."""

from systolith_hw.board.sdram.sequencer import POWER_UP_REFRESHES, Command

NEVER = -(10**9)

RAS_MAX_NS = 100_000
"""Longest that a row may be open."""


class ChipModel:
    """Takes the pins' values cycle by cycle and says what the chip drives.

    Parameters
    ----------
    chip : SdramChip
    clock_hz : int
    """

    def __init__(self, chip, clock_hz):
        self.chip = chip
        self.period_ns = 1e9 / clock_hz
        self.words = {}
        self.cycle = 0
        self.open_rows = {}
        self.activated = {}
        self.precharged = {}
        self.written = {}
        self.refreshed = []
        self.mode = None
        self.mode_set = NEVER
        self.powered = None
        self.driven = {}
        self.last_driven = NEVER

    def ns_since(self, cycle):
        return (self.cycle - cycle) * self.period_ns + 1e-6

    def step(self, pins):
        """A rising edge of the chip's clock; the word that is on its bus in the next cycle, or None."""
        self.cycle += 1
        driven = self.driven.pop(self.cycle, None)
        if driven is not None:
            self.last_driven = self.cycle
        command = Command(pins["ras"] | pins["cas"] << 1 | pins["we"] << 2)
        if not pins["cs"] or not pins["clk_en"]:
            command = Command.NOP
        elif self.powered is None:
            self.powered = self.cycle
        assert not pins["dq_oe"] or command == Command.WRITE, "the bus is driven without a write"
        if command == Command.WRITE:
            assert pins["dq_oe"], "a write without data"
            assert self.cycle - self.last_driven > 1, "both drive the bus"
            assert self.cycle + 1 not in self.driven, "both drive the bus"
        if command != Command.NOP:
            assert self.ns_since(self.powered) >= self.chip.power_up_ns, "a command before power is up"
            assert self.cycle - self.mode_set >= self.chip.mode_cycles, "tMRD"
            if self.refreshed:
                assert self.ns_since(self.refreshed[-1]) >= self.chip.rfc_ns, "tRFC"
            getattr(self, f"_{command.name.lower()}")(pins["ba"], pins["a"], pins)
        if len(self.refreshed) > POWER_UP_REFRESHES:
            late = self.ns_since(self.refreshed[-1]) - 2 * self.chip.refresh_interval_ns
            assert late < 0, "a refresh is overdue"
        return driven

    def _check_ready(self):
        assert self.mode is not None, "an access before the mode is set"

    def _activate(self, bank, address, pins):
        self._check_ready()
        assert bank not in self.open_rows, "a row is open"
        assert self.ns_since(self.precharged.get(bank, NEVER)) >= self.chip.rp_ns, "tRP"
        assert self.ns_since(self.activated.get(bank, NEVER)) >= self.chip.rc_ns, "tRC"
        self.open_rows[bank] = address
        self.activated[bank] = self.cycle

    def _word(self, bank, address):
        assert bank in self.open_rows, "no row is open"
        assert not address >> self.chip.column_bits, "automatic precharge, or no such column"
        assert self.ns_since(self.activated[bank]) >= self.chip.rcd_ns, "tRCD"
        return self.open_rows[bank], bank, address

    def _read(self, bank, address, pins):
        assert pins["dqm"] == 0
        word = self.words.get(self._word(bank, address), 0)
        self.driven[self.cycle + self.chip.cas_latency] = word

    def _write(self, bank, address, pins):
        word = self._word(bank, address)
        mask = sum(0xFF << 8 * byte for byte in range(2) if not pins["dqm"] >> byte & 1)
        self.words[word] = self.words.get(word, 0) & ~mask | pins["dq_o"] & mask
        self.written[bank] = self.cycle

    def _precharge(self, bank, address, pins):
        for each in list(self.open_rows) if address >> 10 & 1 else [bank]:
            assert self.chip.ras_ns <= self.ns_since(self.activated[each]) <= RAS_MAX_NS, "tRAS"
            assert self.ns_since(self.written.get(each, NEVER)) >= self.chip.wr_ns, "tWR"
            self.open_rows.pop(each, None)
            self.precharged[each] = self.cycle
        if not self.precharged:
            self.precharged = dict.fromkeys(range(1 << self.chip.bank_bits), self.cycle)

    def _refresh(self, bank, address, pins):
        assert self.precharged and not self.open_rows, "a refresh of an open bank"
        assert all(self.ns_since(cycle) >= self.chip.rp_ns for cycle in self.precharged.values()), "tRP"
        self.refreshed.append(self.cycle)

    def _set_mode(self, bank, address, pins):
        assert len(self.refreshed) >= POWER_UP_REFRESHES and not self.open_rows
        assert (bank, address) == (0, self.chip.cas_latency << 4), "another mode"
        self.mode, self.mode_set = address, self.cycle


def attach(pins, model):
    """A background testbench: the model and the pads' registers at a component's pins."""
    names = ("clk_en", "cs", "ras", "cas", "we", "ba", "a", "dqm", "dq_o", "dq_oe")

    async def bench(ctx):
        at_chip = dict.fromkeys(names, 0)
        while True:
            _, _, *values = await ctx.tick().sample(*(getattr(pins, name) for name in names))
            # What the chip sends in the cycle that ends now is in the register from the next one on.
            driven = model.step(at_chip)
            at_chip = dict(zip(names, values, strict=True))
            ctx.set(pins.dq_i, 0x5A5A if driven is None else driven)

    return bench
