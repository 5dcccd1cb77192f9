"""Device memory in an SDRAM, behind AXI4."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, fifo, wiring
from amaranth.lib.wiring import Out
from amaranth.utils import exact_log2

from systolith_hw.axi import BURST_INCR, Response, axi4_manager_ports
from systolith_hw.config import ADDRESS_BITS

from .chip import WORD_BYTES
from .sequencer import SdramPins, SdramSequencer

__all__ = ["SdramMemory"]

READ_DEPTH = 16
"""Beats that may be on their way from the chip, or wait to be taken."""


class SdramMemory(wiring.Component):
    """An SDRAM from address 0 on, as an AXI4 subordinate; a word of 16 bits per cycle at best.

    Serves incrementing bursts of full beats, and answers all others with SLVERR; answers DECERR outside the
    memory. A write that is answered with an error writes nothing. One burst is under way at a time, and reads
    and writes take turns; the first access waits until the chip has powered up.

    Parameters
    ----------
    chip : SdramChip
    data_bits : int
        Of the bus, at least 32.
    clock_hz : int

    Members
    -------
    s_axi_*
        AXI4. Back-pressure is honoured on every channel.
    pins : SdramPins

    Latency
    -------
    From a read address to its first beat, if the row is open: 8 cycles, the CAS latency and one cycle for
    each word of the beat.

    Raises
    ------
    ValueError
        If the clock is not one for the chip.
    """

    def __init__(self, chip, *, data_bits, clock_hz):
        self._chip = chip
        self._data_bits = data_bits
        self._word_bits = exact_log2(data_bits // 8 // WORD_BYTES)
        self._sequencer = SdramSequencer(chip, clock_hz=clock_hz)
        self.memory_bytes = chip.memory_bytes
        ports = axi4_manager_ports(prefix="s_axi_", data_bits=data_bits, address_bits=ADDRESS_BITS)
        super().__init__(
            {name: member.flip() for name, member in ports.items()} | {"pins": Out(SdramPins(chip))}
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.sequencer = sequencer = self._sequencer
        wiring.connect(m, wiring.flipped(self.pins), sequencer.pins)
        burst = Signal(
            data.StructLayout(
                {
                    "more": 8,
                    "id": 1,
                    "error": Response,
                    # Of what the sequencer has not been asked for.
                    "asking": 1,
                    "beat": self._chip.address_bits - self._word_bits,
                    "left": 8,
                }
            )
        )
        beat_done = Signal()
        prefer_write = Signal()
        with m.FSM() as states:
            with m.State("IDLE"):
                is_write = Signal()
                m.d.comb += [
                    is_write.eq(
                        self.s_axi_awvalid & ~self.s_axi_bvalid & (prefer_write | ~self.s_axi_arvalid)
                    ),
                    self.s_axi_awready.eq(is_write),
                    self.s_axi_arready.eq(~is_write),
                ]
                with m.If(is_write):
                    self._begin(m, burst, "aw")
                    m.next = "WRITE"
                with m.Elif(self.s_axi_arvalid):
                    self._begin(m, burst, "ar")
                    m.next = "READ"
                m.d.sync += prefer_write.eq(~is_write)
            with m.State("READ"), m.If(beat_done & (burst.more == 0)):
                m.next = "IDLE"
            with m.State("WRITE"), m.If(beat_done & (burst.more == 0)):
                m.d.sync += [
                    self.s_axi_bvalid.eq(1),
                    self.s_axi_bid.eq(burst.id),
                    self.s_axi_bresp.eq(burst.error),
                ]
                m.next = "IDLE"
        with m.If(beat_done):
            m.d.sync += burst.more.eq(burst.more - 1)
        with m.If(self.s_axi_bvalid & self.s_axi_bready):
            m.d.sync += self.s_axi_bvalid.eq(0)

        is_reading, is_writing = states.ongoing("READ"), states.ongoing("WRITE")
        self._ask(m, burst, write=is_writing)
        part = Signal(self._word_bits)
        read_done = self._read(m, burst, part, is_reading)
        written = Signal()
        m.d.comb += [
            sequencer.write_data.eq(self.s_axi_wdata.word_select(part, 16)),
            sequencer.write_mask.eq(self.s_axi_wstrb.word_select(part, WORD_BYTES)),
            sequencer.write_valid.eq(is_writing & self.s_axi_wvalid & (burst.error == Response.OKAY)),
            written.eq(sequencer.write_valid & sequencer.write_ready),
            self.s_axi_wready.eq(
                is_writing & Mux(burst.error == Response.OKAY, written & part.all(), self.s_axi_wvalid)
            ),
            beat_done.eq(read_done | self.s_axi_wready),
        ]
        with m.If(written | sequencer.issued):
            m.d.sync += part.eq(part + 1)
        return m

    def _begin(self, m, burst, channel):
        """Take a burst's address."""

        def port(name):
            return getattr(self, f"s_axi_{channel}{name}")

        beat_bits = exact_log2(self._data_bits // 8)
        wrong = (port("burst") != BURST_INCR) | (port("size") != beat_bits)
        outside = port("addr") >= self.memory_bytes
        m.d.sync += [
            burst.more.eq(port("len")),
            burst.id.eq(port("id")),
            burst.error.eq(Mux(wrong, Response.SLVERR, Mux(outside, Response.DECERR, Response.OKAY))),
            burst.asking.eq(~(wrong | outside)),
            burst.beat.eq(port("addr") >> beat_bits),
            burst.left.eq(port("len")),
        ]

    def _ask(self, m, burst, *, write):
        """Ask for the burst, row by row."""
        segments = self._sequencer.segments
        in_row_bits = self._chip.column_bits - self._word_bits
        bank_end = in_row_bits + self._chip.bank_bits
        to_row_end = Signal(in_row_bits)
        more = Signal(8)
        m.d.comb += [
            to_row_end.eq(~burst.beat[:in_row_bits]),
            more.eq(Mux(burst.left < to_row_end, burst.left, to_row_end)),
            segments.valid.eq(burst.asking),
            segments.p.write.eq(write),
            segments.p.column.eq(burst.beat[:in_row_bits] << self._word_bits),
            segments.p.bank.eq(burst.beat[in_row_bits:bank_end]),
            segments.p.row.eq(burst.beat[bank_end:]),
            segments.p.more.eq(Cat(Const(-1, self._word_bits), more)),
        ]
        with m.If(segments.valid & segments.ready):
            m.d.sync += [
                burst.asking.eq(burst.left != more),
                burst.beat.eq(burst.beat + more + 1),
                burst.left.eq(burst.left - more - 1),
            ]

    def _read(self, m, burst, part, active):
        """Collect words to beats, and return them in order; whether a beat is on its way."""
        sequencer = self._sequencer
        words = (1 << self._word_bits) - 1
        head = data.StructLayout({"id": 1, "error": Response, "last": 1})
        m.submodules.heads = heads = fifo.SyncFIFOBuffered(width=head.size, depth=READ_DEPTH)
        m.submodules.beats = beats = fifo.SyncFIFOBuffered(width=self._data_bits, depth=READ_DEPTH)
        done = Signal()
        asked = data.View(head, heads.w_data)
        is_error = active & (burst.error != Response.OKAY)
        m.d.comb += [
            sequencer.room.eq(heads.w_rdy | (part != 0)),
            asked.id.eq(burst.id),
            asked.error.eq(burst.error),
            asked.last.eq(burst.more == 0),
            heads.w_en.eq(is_error | (sequencer.issued & (part == 0))),
            done.eq(Mux(is_error, heads.w_rdy, sequencer.issued & part.all())),
        ]
        earlier = Signal(16 * words)
        come = Signal(self._word_bits)
        with m.If(sequencer.read_valid):
            m.d.sync += [earlier.eq(Cat(earlier, sequencer.read_data) >> 16), come.eq(come + 1)]
        head_out = data.View(head, heads.r_data)
        m.d.comb += [
            beats.w_data.eq(Cat(earlier, sequencer.read_data)),
            beats.w_en.eq(sequencer.read_valid & come.all()),
            self.s_axi_rvalid.eq(heads.r_rdy & ((head_out.error != Response.OKAY) | beats.r_rdy)),
            self.s_axi_rdata.eq(beats.r_data),
            self.s_axi_rid.eq(head_out.id),
            self.s_axi_rresp.eq(head_out.error),
            self.s_axi_rlast.eq(head_out.last),
            heads.r_en.eq(self.s_axi_rvalid & self.s_axi_rready),
            beats.r_en.eq(heads.r_en & (head_out.error == Response.OKAY)),
        ]
        return done
