"""The arithmetic of the epilogue: bias, scale, round, clamp."""

import itertools

from amaranth.hdl import Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from .config import ACCUMULATOR_BITS
from .descriptor import PARAMETER_FIELDS

__all__ = ["Parameters", "Requantizer", "RequantizerLanes"]

MULTIPLIER_BITS = PARAMETER_FIELDS["multiplier"].width
SHIFT_BITS = PARAMETER_FIELDS["shift"].width


class Parameters(data.StructLayout):
    """The epilogue parameters of one output channel, as they lie in memory."""

    def __init__(self):
        members = {name: unsigned(field.width) for name, field in PARAMETER_FIELDS.items()}
        super().__init__(members | {"bias": signed(PARAMETER_FIELDS["bias"].width)})


class Requantizer(wiring.Component):
    """Computes ``clamp((acc + bias) · multiplier ÷ 2**shift)`` or ``clamp(acc + bias)``.

    The sum has 33 bits. int8: it is multiplied, ``2**(shift - 1)`` is added unless ``shift`` is 0, the
    result is shifted right, rounding down, and clamped to -128…127. int32: it is clamped to the range of
    int32. With ``relu`` a negative result becomes 0.

    Members
    -------
    valid : 1
        The operands of this cycle count; otherwise the result ``LATENCY`` cycles later does not.
    accumulator : signed(32)
    parameters : Parameters
    int8, relu : 1
    result : signed(32)
        An int8 result is in each of its bytes.

    Latency
    -------
    ``LATENCY`` cycles. No back-pressure.
    """

    LATENCY = 4

    def __init__(self):
        super().__init__(
            {
                "valid": In(1),
                "accumulator": In(signed(ACCUMULATOR_BITS)),
                "parameters": In(Parameters()),
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
        valid = [self.valid, *(Signal(name=f"valid_{number}") for number in range(1, 4))]
        int8 = [self.int8, *(stage(1, f"int8_{number}") for number in range(1, 4))]
        relu = [self.relu, *(stage(1, f"relu_{number}") for number in range(1, 4))]
        for before, after in itertools.pairwise(valid):
            m.d.sync += after.eq(before)
        for number in range(3):
            with m.If(valid[number]):
                m.d.sync += [int8[number + 1].eq(int8[number]), relu[number + 1].eq(relu[number])]

        biased = stage(biased_shape, "biased")
        multiplier = stage(MULTIPLIER_BITS, "multiplier")
        shift_1 = stage(SHIFT_BITS, "shift_1")
        with m.If(valid[0]):
            m.d.sync += [
                biased.eq(self.accumulator + self.parameters.bias),
                multiplier.eq(self.parameters.multiplier),
                shift_1.eq(self.parameters.shift),
            ]

        product = stage(product_shape, "product")
        plain_2 = stage(biased_shape, "plain_2")
        shift_2 = stage(SHIFT_BITS, "shift_2")
        with m.If(valid[1]):
            m.d.sync += [
                product.eq(biased * multiplier),
                plain_2.eq(biased),
                shift_2.eq(shift_1),
            ]

        # One bit more than the result: the last bit shifted out, by which it is rounded. With shift 0 that
        # is a zero shifted in, and rounds nothing.
        doubled = stage(signed(product_shape.width + 1), "doubled")
        plain_3 = stage(biased_shape, "plain_3")
        with m.If(valid[2]):
            m.d.sync += [doubled.eq((product << 1) >> shift_2), plain_3.eq(plain_2)]

        with m.If(valid[3]):
            m.d.sync += self.result.eq(
                Mux(
                    int8[3],
                    _rounded_int8(doubled, relu=relu[3])[:8].replicate(4),
                    _clamped_int32(plain_3, relu=relu[3]),
                )
            )
        return m


class RequantizerLanes(wiring.Component):
    """Requantizers side by side.

    Parameters
    ----------
    lanes : int

    Members
    -------
    valid : 1
        As in :class:`Requantizer`, for all lanes.
    accumulators : ArrayLayout(signed(32), lanes)
    parameters : ArrayLayout(Parameters, lanes)
    int8, relu : 1
        For all lanes.
    results : ArrayLayout(signed(32), lanes)

    Latency
    -------
    ``LATENCY`` cycles. No back-pressure.
    """

    LATENCY = Requantizer.LATENCY

    def __init__(self, *, lanes):
        self._lanes = lanes
        values = data.ArrayLayout(signed(ACCUMULATOR_BITS), lanes)
        super().__init__(
            {
                "valid": In(1),
                "accumulators": In(values),
                "parameters": In(data.ArrayLayout(Parameters(), lanes)),
                "int8": In(1),
                "relu": In(1),
                "results": Out(values),
            }
        )

    def elaborate(self, platform):
        m = Module()
        for lane in range(self._lanes):
            m.submodules[f"lane_{lane}"] = requantizer = Requantizer()
            m.d.comb += [
                requantizer.valid.eq(self.valid),
                requantizer.accumulator.eq(self.accumulators[lane]),
                requantizer.parameters.eq(self.parameters[lane]),
                requantizer.int8.eq(self.int8),
                requantizer.relu.eq(self.relu),
                self.results[lane].eq(requantizer.result),
            ]
        return m


def _rounded_int8(doubled, *, relu):
    """``clamp((doubled + 1) >> 1)``: what is out of range is so before it is rounded, or becomes 128."""
    high = doubled[8:-1]
    rounded = (doubled[:9].as_signed() + 1) >> 1
    negative = doubled[-1]
    above = ~negative & (high.any() | doubled[:8].all())
    below = negative & ~high.all()
    return Mux(
        above,
        127,
        Mux(negative & relu, 0, Mux(below, -128, rounded[:8].as_signed())),
    )


def _clamped_int32(value, *, relu):
    """A number of 33 bits clamped to 32."""
    negative = value[-1]
    limit = Mux(negative, -(1 << 31), (1 << 31) - 1)
    return Mux(negative & relu, 0, Mux(negative == value[-2], value[:-1].as_signed(), limit))
