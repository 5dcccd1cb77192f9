"""One lane of the epilogue: bias, scale, round, clamp."""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .config import ACCUMULATOR_BITS

__all__ = ["MULTIPLIER_BITS", "SHIFT_BITS", "Requantizer"]

MULTIPLIER_BITS = 16
SHIFT_BITS = 6


class Requantizer(wiring.Component):
    """Computes ``clamp((acc + bias) · multiplier ÷ 2**shift)`` or ``clamp(acc + bias)``.

    The sum has 33 bits. int8: it is multiplied, ``2**(shift - 1)`` is added unless ``shift`` is 0, the
    result is shifted right, rounding down, and clamped to -128…127. int32: it is clamped to the range of
    int32. With ``relu`` a negative result becomes 0.

    Members
    -------
    advance : 1
        Move the pipeline on; otherwise it holds.
    accumulator, bias : signed(32)
    multiplier : unsigned(16)
    shift : unsigned(6)
    int8, relu : 1
    result : signed(32)

    Latency
    -------
    ``LATENCY`` cycles in which ``advance`` is set.
    """

    LATENCY = 4

    def __init__(self):
        super().__init__(
            {
                "advance": In(1),
                "accumulator": In(signed(ACCUMULATOR_BITS)),
                "bias": In(signed(ACCUMULATOR_BITS)),
                "multiplier": In(MULTIPLIER_BITS),
                "shift": In(SHIFT_BITS),
                "int8": In(1),
                "relu": In(1),
                "result": Out(signed(ACCUMULATOR_BITS)),
            }
        )

    def elaborate(self, platform):
        m = Module()

        def stage(shape, name):
            return Signal(shape, name=name, reset_less=True)

        biased_shape = signed(ACCUMULATOR_BITS + 1)
        product_shape = signed(ACCUMULATOR_BITS + 1 + MULTIPLIER_BITS)
        biased = stage(biased_shape, "biased")
        multiplier = stage(MULTIPLIER_BITS, "multiplier")
        shift_1, shift_2 = stage(SHIFT_BITS, "shift_1"), stage(SHIFT_BITS, "shift_2")
        plain_2, plain_3 = stage(biased_shape, "plain_2"), stage(biased_shape, "plain_3")
        product = stage(product_shape, "product")
        # One bit more than the result: the last bit shifted out, by which it is rounded.
        doubled = stage(signed(product_shape.width + 1), "doubled")
        rounded = Signal(product_shape)
        int8, relu = [self.int8], [self.relu]
        for number in range(1, 4):
            int8.append(stage(1, f"int8_{number}"))
            relu.append(stage(1, f"relu_{number}"))

        with m.If(self.advance):
            m.d.sync += [
                biased.eq(self.accumulator + self.bias),
                multiplier.eq(self.multiplier),
                shift_1.eq(self.shift),
                product.eq(biased * multiplier),
                plain_2.eq(biased),
                shift_2.eq(shift_1),
                doubled.eq((product << 1) >> shift_2),
                plain_3.eq(plain_2),
                self.result.eq(
                    _clamp(
                        Mux(int8[3], rounded, plain_3),
                        low=Mux(relu[3], 0, Mux(int8[3], -128, -(1 << 31))),
                        high=Mux(int8[3], 127, (1 << 31) - 1),
                    )
                ),
            ]
            for number in range(3):
                m.d.sync += [int8[number + 1].eq(int8[number]), relu[number + 1].eq(relu[number])]
        # With shift 0 the bit shifted out is the zero shifted in, and rounds nothing.
        m.d.comb += rounded.eq((doubled + 1) >> 1)
        return m


def _clamp(value, *, low, high):
    return Mux(value < low, low, Mux(value > high, high, value))
