"""Walks panels row by row and requests their data."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for, ceil_log2, exact_log2

from .counting import next_count
from .messages import Order, Panel, RowRequest, beat_address_shape

__all__ = ["PanelLoader"]


class PanelLoader(wiring.Component):
    """Turns panels into row requests, one a cycle, and places them in a buffer's ring.

    Parameters
    ----------
    config : ArrayConfig
    depth : int
        Lines of the buffer.
    target : Target
        The buffer.

    Members
    -------
    panels : stream of Panel
        A panel is begun in the cycle after the buffer has room for all of it, and none is taken in the cycle
        after another. If there is one descriptor slot, all panels of a descriptor have the same stride, which
        stays until the loader is idle.
    requests : stream of RowRequest
        Back-pressure is honoured.
    order : Order
        Of the request offered.
    staged_order : Order
        Of the requests after ``begin``.
    begin : 1
        The next panel's requests are offered from the next cycle on.
    free, reserve : range(depth + 1)
        To the buffer.
    staged_address
        Address in beats of the panel taken last.
    end_address
        Address in beats behind the last row of the last panel that began a block and was walked to its end.
    idle : 1
        No panel is waiting or being walked.
    """

    def __init__(self, config, *, depth, target):
        self._config = config
        self._depth = depth
        self._target = target
        super().__init__(
            {
                "panels": In(stream.Signature(Panel(config))),
                "requests": Out(stream.Signature(RowRequest(config))),
                "order": Out(Order(config)),
                "staged_order": Out(Order(config)),
                "begin": Out(1),
                "free": In(bits_for(depth)),
                "reserve": Out(bits_for(depth)),
                "staged_address": Out(beat_address_shape(config)),
                "end_address": Out(beat_address_shape(config)),
                "idle": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()

        staged = Signal()
        panel_in = Signal(Panel(self._config))
        size = Signal(len(self.free) + 1)
        sized = Signal()
        fits = Signal()

        active = Signal()
        panel = Signal(Panel(self._config))
        # The complement of the rows from this one on.
        rows_left = Signal.like(panel.rows)
        last_row = Signal()
        address = Signal.like(panel.address)
        line = Signal(ceil_log2(self._depth))

        stride = self.panels.payload.stride if self._config.descriptor_slots == 1 else panel.stride
        begin = self.begin
        row_done = Signal()
        panel_done = Signal()
        next_address = Signal.like(panel.address)
        next_panel_line = Signal.like(line)
        order = self.order.shape().members

        m.d.comb += [
            self.panels.ready.eq(~staged),
            begin.eq(fits & (~active | panel_done)),
            row_done.eq(self.requests.valid & self.requests.ready),
            panel_done.eq(row_done & last_row),
            next_address.eq(address + stride),
            self.requests.valid.eq(active),
            self.requests.payload.address.eq(address << exact_log2(self._config.bus_bytes)),
            self.requests.payload.beats.eq(panel.beats),
            self.requests.payload.target.eq(self._target),
            self.requests.payload.line.eq(line),
            self.requests.payload.stride.eq(panel.rows),
            self.requests.payload.slot.eq(panel.slot),
            *(self.order[name].eq(panel[name]) for name in order),
            *(self.staged_order[name].eq(panel_in[name]) for name in order),
            self.staged_address.eq(panel_in.address),
            self.idle.eq(~active & ~staged),
        ]
        # Known a cycle ahead, for what is granted now decides what begins now. Only a begin makes less free.
        m.d.sync += [
            size.eq(_times(panel_in.rows, panel_in.line_end)),
            sized.eq(staged & ~begin),
            fits.eq(sized & ~begin & ~(self.free < size)),
        ]
        with m.If(self.panels.ready):
            m.d.sync += [
                staged.eq(self.panels.valid),
                panel_in.eq(self.panels.payload),
            ]
        with m.If(row_done):
            m.d.sync += address.eq(next_address)
        with m.If(panel_done):
            m.d.sync += active.eq(0)
            with m.If(panel.begins_block):
                m.d.sync += self.end_address.eq(next_address)
        with m.If(begin):
            m.d.comb += self.reserve.eq(size)
            m.d.sync += [
                staged.eq(0),
                active.eq(1),
                panel.eq(panel_in),
                address.eq(panel_in.address),
                next_panel_line.eq(next_panel_line + size),
            ]
        begins = Signal()
        m.d.comb += begins.eq(~active | last_row)
        with m.If(begin | row_done):
            m.d.sync += [
                line.eq(next_count(line, loads=begins, value=next_panel_line)),
                rows_left.eq(next_count(rows_left, loads=begins, value=~panel_in.rows)),
                last_row.eq(Mux(begins, panel_in.rows == 1, ~rows_left == 2)),
            ]
        return m


def _times(many, few_less_one):
    """The product with a number of few bits, from adders: a multiplier would be far away."""
    product = many
    for place, bit in enumerate(few_less_one):
        more = product + (many << place) if place else many << 1
        product = Mux(bit, more, product)
    return product
