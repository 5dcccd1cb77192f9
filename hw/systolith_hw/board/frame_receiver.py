"""Finds requests in the bytes of the line, and lets only whole ones pass."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from systolith_hw.link import CHECK_BYTES, PAYLOAD_MAX_BYTES, REQUEST_HEADER, REQUEST_START, WRITE

from .checksum import FrameCheck
from .frame_queue import KEPT_MAX_BYTES

__all__ = ["FrameReceiver"]


class FrameReceiver(wiring.Component):
    """Strips start byte and checks of requests, and commits those whose checks are right.

    Bytes before a start byte are skipped. A request is dropped if a check is wrong, a byte of it did not
    arrive in time or was damaged on the line, or there is no room; the next start byte begins another.

    Parameters
    ----------
    idle_cycles : int
        Without a byte, after which a request that is not whole is dropped.

    Members
    -------
    bytes : stream of 8
        Ready again eight cycles after a byte, for the check takes in a bit a cycle.
    error : 1
        A byte was lost.
    write, data, commit, rewind, written, full
        To a :class:`~.frame_queue.FrameQueue`: header and payload.
    dropped : 1
        A request was dropped.

    Latency
    -------
    ``LATENCY`` cycles from the last byte to ``commit``.
    """

    LATENCY = 9

    def __init__(self, *, idle_cycles):
        self._idle_cycles = idle_cycles
        super().__init__(
            {
                "bytes": In(stream.Signature(8)),
                "error": In(1),
                "write": Out(1),
                "data": Out(8),
                "commit": Out(1),
                "rewind": Out(1),
                "written": In(bits_for(KEPT_MAX_BYTES)),
                "full": In(1),
                "dropped": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.check = check = FrameCheck()
        byte = self.bytes.payload
        arrived = Signal()
        # Within a request: header, its check, payload, and the check of both.
        active = Signal()
        checks = Signal()
        in_payload = Signal()
        part_ends = Signal()
        shift = Signal(8)
        shifts = Signal()
        # Bits of this part; of a payload modulo a byte.
        steps = Signal(range(8 * REQUEST_HEADER.size))
        byte_ends = Signal()
        is_write = Signal()
        # What ``written`` is when all of the payload has come.
        whole = Signal(range(PAYLOAD_MAX_BYTES))
        idle = Signal(range(-self._idle_cycles, 1), init=-self._idle_cycles)
        drop = Signal()
        m.d.comb += [
            self.bytes.ready.eq(~shifts),
            arrived.eq(self.bytes.valid & ~shifts),
            self.data.eq(byte),
            self.write.eq(arrived & active & ~checks & ~self.full),
            check.start.eq(~active),
            check.step.eq(shifts),
            check.turn.eq(checks),
            check.bit.eq(shift[0]),
            byte_ends.eq(shifts & steps[:3].all()),
            self.dropped.eq(self.rewind),
        ]
        with m.If(checks):
            m.d.comb += [
                part_ends.eq(byte_ends & steps[: (8 * CHECK_BYTES - 1).bit_length()].all()),
                drop.eq(shifts & (shift[0] != check.check[0])),
            ]
        with m.Else():
            all_came = Mux(in_payload, self.written[: len(whole)] == whole, steps.all())
            m.d.comb += [part_ends.eq(byte_ends & all_came), drop.eq(arrived & self.full)]
        with m.If(self.error | (idle >= 0)):
            m.d.comb += drop.eq(1)

        with m.If(shifts):
            m.d.sync += [shift.eq(shift[1:]), steps.eq(steps + 1), shifts.eq(~byte_ends)]
        m.d.sync += idle.eq(idle + 1)
        with m.If(arrived):
            m.d.sync += [shift.eq(byte), shifts.eq(1), idle.eq(idle.init)]
            with m.If(~checks & ~in_payload & (steps == 0)):
                m.d.sync += is_write.eq((byte & WRITE).any())
            with m.If(~checks & ~in_payload & (steps == 8)):
                m.d.sync += whole.eq(byte + 1 + REQUEST_HEADER.size)
        with m.If(part_ends):
            m.d.sync += [checks.eq(~checks), in_payload.eq(in_payload | checks), steps.eq(0)]
            with m.If(checks & (in_payload | ~is_write)):
                m.d.sync += active.eq(0)
        with m.If(drop):
            m.d.sync += active.eq(0)
        with m.If(~active):
            m.d.sync += [
                *(active.eq(arrived & (byte == REQUEST_START)), idle.eq(idle.init)),
                *(checks.eq(0), in_payload.eq(0), shifts.eq(0), steps.eq(0)),
            ]
        m.d.sync += [
            self.commit.eq(active & part_ends & checks & (in_payload | ~is_write) & ~drop),
            self.rewind.eq(active & drop),
        ]
        return m
