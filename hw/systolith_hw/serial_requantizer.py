"""The arithmetic of the epilogue, a few bits a cycle."""

import math

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from .config import ACCUMULATOR_BITS
from .requantize import MULTIPLIER_BITS, SHIFT_BITS

__all__ = ["PARAMETER_WORD_BITS", "SerialRequantizer"]

PARAMETER_WORD_BITS = 32
"""Half of a channel's parameters: the bias, or multiplier and shift."""

ROUNDED_BITS = 9
"""An int8 result, and the bit by which it is rounded."""


class SerialRequantizer(wiring.Component):
    """Computes what :class:`.requantize.Requantizer` computes, in little logic.

    Accumulator and bias are added digit by digit from the lowest, a digit being ``64 ÷ lane_cycles`` bits.
    The sum remains where the accumulator was. Each of its digits, and its sign from then on, is multiplied
    as it comes, which gives a digit of the product; a digit lower than all, of zeros, comes first. The
    result's bits are kept of those that pass, and whether all higher ones are alike.

    Parameters
    ----------
    lane_cycles : int
        16, 32 or 64.

    Members
    -------
    operands : stream of {accumulator, biased, int8, relu}
        Without ``biased``, the bias is 0.
    parameters : 32
        Multiplier and shift in the cycle in which operands are accepted, the bias after it while
        ``keeps_parameters``.
    keeps_parameters : 1
        They must not change.
    result : stream of signed(32)
        An int8 result is in each of its bytes. Back-pressure is honoured.

    Latency
    -------
    ``lane_cycles - 1`` cycles from operands to their result. The next ones are accepted after the cycle in
    which it is.
    """

    def __init__(self, *, lane_cycles):
        self._steps = lane_cycles
        self._digit_bits = 64 // lane_cycles
        operands = {"accumulator": signed(ACCUMULATOR_BITS), "biased": 1, "int8": 1, "relu": 1}
        super().__init__(
            {
                "operands": In(stream.Signature(data.StructLayout(operands))),
                "parameters": In(PARAMETER_WORD_BITS),
                "keeps_parameters": Out(1),
                "result": Out(stream.Signature(signed(ACCUMULATOR_BITS))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        # The sum's digits come in the first half of the steps; the last but one offers the result, and the
        # last accepts operands.
        step = Signal(range(self._steps), init=self._steps - 1)
        start = Signal()
        busy = Signal()
        m.d.comb += [
            self.operands.ready.eq(step.all()),
            start.eq(self.operands.valid & self.operands.ready),
            busy.eq(~step[1:].all()),
            self.result.valid.eq(step == self._steps - 2),
            self.keeps_parameters.eq(~step[-1]),
        ]
        with m.If(busy | start | (self.result.valid & self.result.ready)):
            m.d.sync += step.eq(step + 1)

        int8, relu, biased = (Signal(name=name) for name in ("int8", "relu", "biased"))
        with m.If(start):
            m.d.sync += [
                int8.eq(self.operands.payload.int8),
                relu.eq(self.operands.payload.relu),
                biased.eq(self.operands.payload.biased),
            ]
        total, sum_negative, digit = self._add(m, step, start, biased)
        window, product_negative, alike = self._keep(m, start, busy, self._multiply(m, start, digit))
        negative, fits = Signal(), Signal()
        m.d.comb += [
            negative.eq(Mux(int8, product_negative, sum_negative)),
            fits.eq(Mux(int8, alike, total[-1] == sum_negative)),
            self.result.payload.eq(
                _result(m, total, window, int8=int8, zero=negative & relu, negative=negative, fits=fits)
            ),
        ]
        return m

    def _add(self, m, step, start, biased):
        """The low bits of the sum, when they are there; whether it is negative; the last digit of it."""
        bits = self._digit_bits
        total = Signal(ACCUMULATOR_BITS)
        carry = Signal()
        negative = Signal()
        digit = Signal(bits)
        adding = self.keeps_parameters
        bias_digit = self.parameters.word_select(step[:-1], bits) & biased.replicate(bits)
        added = Signal(bits + 1)
        m.d.comb += added.eq(total[:bits] + bias_digit + carry)
        with m.If(start):
            m.d.sync += [total.eq(self.operands.payload.accumulator), carry.eq(0), digit.eq(0)]
        with m.Else():
            m.d.sync += digit.eq(Mux(adding, added[:bits], negative.replicate(bits)))
            with m.If(adding):
                m.d.sync += [
                    total.eq(Cat(total[bits:], added[:bits])),
                    carry.eq(added[-1]),
                    negative.eq(total[bits - 1] ^ bias_digit[-1] ^ added[-1]),
                ]
        return total, negative, digit

    def _multiply(self, m, start, digit):
        """The product's digit of this cycle."""
        multiplier = Signal(MULTIPLIER_BITS)
        high = Signal(MULTIPLIER_BITS)
        low = []
        partial = high
        for bit in digit:
            partial = Mux(bit, partial + multiplier, partial)
            low.append(partial[0])
            partial = partial[1:]
        m.d.sync += high.eq(partial)
        with m.If(start):
            m.d.sync += [high.eq(0), multiplier.eq(self.parameters[:MULTIPLIER_BITS])]
        return Cat(low)

    def _keep(self, m, start, busy, product_digit):
        """The bits of the product that make the result; its sign; whether all bits above are alike.

        The lowest is the one by which it is rounded. Where the digits end before all are kept, the last one,
        which is of signs, stands for those above it.
        """
        bits = self._digit_bits
        bits_log2 = exact_log2(bits)
        shift = self.parameters[MULTIPLIER_BITS:][:SHIFT_BITS]
        # Digits until the lowest kept.
        waiting = Signal(signed(SHIFT_BITS - bits_log2 + 1))
        shift_in_digit = Signal(bits_log2)
        first = Signal()
        m.d.sync += first.eq(start)
        with m.If(start):
            m.d.sync += [waiting.eq(shift >> bits_log2), shift_in_digit.eq(shift)]
        with m.Elif(~(first & shift_in_digit.any())):
            m.d.sync += waiting.eq(waiting - 1)

        kept = Signal(data.ArrayLayout(bits, math.ceil((ROUNDED_BITS + bits - 1) / bits)))
        passing = waiting >= 0
        for number, part in enumerate(kept):
            if number:
                later = Signal(name=f"passing_{number}")
                m.d.sync += later.eq(passing | start)
                passing = later
            with m.If(busy & passing):
                m.d.sync += part.eq(product_digit)
        negative = Signal()
        alike = Signal()
        window = kept.as_value().as_signed()
        with m.If(start):
            m.d.sync += alike.eq(1)
        with m.Elif(busy):
            m.d.sync += negative.eq(product_digit[-1])
            with m.If(~passing & (product_digit != window[-1].replicate(bits))):
                m.d.sync += alike.eq(0)
        aligned = window >> (shift_in_digit - 1)[:bits_log2]
        above = aligned[ROUNDED_BITS - 1 :]
        return aligned[:ROUNDED_BITS], negative, alike & (above.all() | ~above.any())


def _result(m, total, window, *, int8, zero, negative, fits):
    """Either result: clamped if it does not fit, or zero."""
    rounded = (window[1:] + window[0])[:8]
    forced = Signal()
    m.d.comb += forced.eq(zero | ~fits | (int8 & ~negative & rounded[-1]))
    # Each bit but those of signs is a function of four: of two that are the same for all bits and, if they
    # are alike, force it.
    take_rounded, take_total = Signal(), Signal()
    m.d.comb += [
        take_rounded.eq(Mux(forced, ~negative, int8)),
        take_total.eq(Mux(forced, ~negative, ~int8)),
    ]
    lowest = negative & ~zero
    bits = [
        (take_rounded & take_total) | (take_rounded & rounded[bit % 8]) | (take_total & total[bit])
        for bit in range(len(total))
    ]
    for sign in (7, 15, 23, 31):
        clamped = lowest if sign == 31 else Mux(int8, lowest, ~negative)
        bits[sign] = Mux(forced, clamped, Mux(int8, rounded[-1], total[sign]))
    return Cat(bits)
