"""Cuts transfers at 4 KiB boundaries."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for, exact_log2

from .axi import BOUNDARY_BYTES
from .counting import next_count

__all__ = ["BurstSplitter", "Transfer"]


class Transfer(data.StructLayout):
    """Consecutive beats from an aligned address."""

    def __init__(self, *, address_bits, max_beats):
        super().__init__({"address": address_bits, "beats": bits_for(max_beats)})


class BurstSplitter(wiring.Component):
    """Splits transfers into AXI bursts, one a cycle: a transfer crosses one boundary at most.

    Parameters
    ----------
    address_bits : int
    bus_bytes : int
    max_beats : int
        Of a transfer; at most 256 and at most 4 KiB.

    Members
    -------
    transfers : stream of Transfer
    bursts : stream of Transfer
        None crosses a 4 KiB boundary. Back-pressure is honoured.
    last : 1
        The burst offered is its transfer's last.

    Latency
    -------
    One cycle.
    """

    def __init__(self, *, address_bits, bus_bytes, max_beats):
        self._bus_bytes = bus_bytes
        layout = Transfer(address_bits=address_bits, max_beats=max_beats)
        super().__init__(
            {
                "transfers": In(stream.Signature(layout)),
                "bursts": Out(stream.Signature(layout)),
                "last": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        boundary_log2 = exact_log2(BOUNDARY_BYTES)
        boundary_beats = BOUNDARY_BYTES // self._bus_bytes
        active = Signal()
        left = Signal.like(self.transfers.payload)
        to_boundary = Signal(range(boundary_beats + 1))
        done = Signal()
        burst = self.bursts.payload
        m.d.comb += [
            to_boundary.eq(boundary_beats - self._beat_address(left)),
            self.bursts.valid.eq(active),
            burst.address.eq(left.address),
            burst.beats.eq(Mux(self.last, left.beats, to_boundary)),
            done.eq(active & self.bursts.ready & self.last),
            self.transfers.ready.eq(~active | done),
        ]
        transfer = self.transfers.payload
        begins = Signal()
        m.d.comb += begins.eq(~active | self.last)
        with m.If(self.transfers.ready):
            m.d.sync += active.eq(self.transfers.valid)
        with m.If(self.transfers.ready | self.bursts.ready):
            page, transfer_page = left.address[boundary_log2:], transfer.address[boundary_log2:]
            m.d.sync += [
                page.eq(next_count(page, loads=begins, value=transfer_page)),
                left.address[:boundary_log2].eq(Mux(begins, transfer.address[:boundary_log2], 0)),
                left.beats.eq(Mux(begins, transfer.beats, left.beats - to_boundary)),
                self.last.eq(~begins | self._fits(transfer)),
            ]
        return m

    def _beat_address(self, transfer):
        """Beats from a boundary to its first."""
        return transfer.address[exact_log2(self._bus_bytes) : exact_log2(BOUNDARY_BYTES)]

    def _fits(self, transfer):
        """Whether a transfer crosses no boundary; only what begins near one can."""
        beat_address = self._beat_address(transfer)
        offset = beat_address[: len(transfer.beats)]
        near = beat_address[len(offset) :]
        end = offset + transfer.beats
        return ~(near.all() & end[len(offset)] & end[: len(offset)].any())
