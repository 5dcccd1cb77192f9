"""Finds requests in the bytes of the line, and lets only whole ones pass."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from systolith_hw.counting import next_count
from systolith_hw.link import CHECK_BYTES, PAYLOAD_MAX_BYTES, REQUEST_HEADER, REQUEST_START, WRITE

from .checksum import FrameCheck

__all__ = ["FrameReceiver"]


class FrameReceiver(wiring.Component):
    """Strips start byte and checks of requests, and commits those whose checks are right.

    Bytes before a start byte are skipped. A request is dropped if a check is wrong, a byte of it did not
    arrive in time or was damaged on the line, or there is no room; the next start byte begins another.

    Parameters
    ----------
    idle_cycles : int
        Without a byte, after which a request that is not whole is dropped; after a quarter more at most.

    Members
    -------
    bytes : stream of 8
        Ready again eight cycles after a byte, for the check takes in a bit a cycle.
    error : 1
        A byte was lost.
    cycles : unsigned
        Goes up by one in each; as wide as ``idle_cycles`` needs.
    write, data, commit, rewind, full
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
        # Time is counted in eighths or less of what is given, of which the first may have passed already.
        cycles_bits = max(1, (idle_cycles // 8).bit_length() - 1)
        super().__init__(
            {
                "bytes": In(stream.Signature(8)),
                "error": In(1),
                "cycles": In(cycles_bits),
                "write": Out(1),
                "data": Out(8),
                "commit": Out(1),
                "rewind": Out(1),
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
        in_header = Signal()
        part_ends = Signal()
        shift = Signal(8)
        shifts = Signal()
        # Bits of this part; of a payload modulo a byte.
        steps = Signal(range(8 * REQUEST_HEADER.size))
        byte_ends = Signal()
        is_write = Signal()
        # Minus the bytes of the payload that have not come.
        left = Signal(range(-PAYLOAD_MAX_BYTES, 1))
        time = Signal()
        idle_max = -(-self._idle_cycles >> len(self.cycles)) + 1
        idle = Signal(range(-idle_max, 1), init=-idle_max)
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
            all_came = Mux(in_header, steps.all(), left >= 0)
            m.d.comb += [part_ends.eq(byte_ends & all_came), drop.eq(arrived & self.full)]
        with m.If(self.error | (idle >= 0)):
            m.d.comb += drop.eq(1)

        with m.If(shifts):
            m.d.sync += [shift.eq(shift[1:]), steps.eq(steps + 1), shifts.eq(~byte_ends)]
        m.d.sync += [time.eq(self.cycles[-1]), idle.eq(idle + (time & ~self.cycles[-1]))]
        with m.If(arrived):
            m.d.sync += [shift.eq(byte), shifts.eq(1), idle.eq(idle.init)]
            with m.If(~checks & in_header & (steps == 0)):
                m.d.sync += is_write.eq((byte & WRITE).any())
            with m.If(~checks & (~in_header | (steps == 8))):
                m.d.sync += left.eq(next_count(left, loads=in_header, value=Cat(~byte, 1)))
        with m.If(part_ends):
            m.d.sync += [checks.eq(~checks), in_header.eq(in_header & ~checks), steps.eq(0)]
            with m.If(checks & (~in_header | ~is_write)):
                m.d.sync += active.eq(0)
        with m.If(drop):
            m.d.sync += active.eq(0)
        with m.If(~active):
            m.d.sync += [
                *(active.eq(arrived & (byte == REQUEST_START)), idle.eq(idle.init)),
                *(checks.eq(0), in_header.eq(1), shifts.eq(0), steps.eq(0)),
            ]
        m.d.sync += [
            self.commit.eq(active & part_ends & checks & (~in_header | ~is_write) & ~drop),
            self.rewind.eq(active & drop),
        ]
        return m
