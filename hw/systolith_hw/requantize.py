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

BIASED = signed(ACCUMULATOR_BITS + 1)
"""Shape of the sum of accumulator and bias."""

LOW_BITS = 16
"""Of that sum, which are multiplied apart from the others."""


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

    LATENCY = 5

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
        valid = [self.valid, *(Signal(name=f"valid_{number}") for number in range(1, self.LATENCY))]
        int8 = [self.int8, *(_stage(1, f"int8_{number}") for number in range(1, self.LATENCY))]
        relu = [self.relu, *(_stage(1, f"relu_{number}") for number in range(1, self.LATENCY))]
        for before, after in itertools.pairwise(valid):
            m.d.sync += after.eq(before)

        biased = Signal(BIASED)
        m.d.comb += biased.eq(self.accumulator + self.parameters.bias)
        plain = [biased, *(_stage(BIASED, f"plain_{number}") for number in range(1, self.LATENCY))]
        shift = [self.parameters.shift, *(_stage(SHIFT_BITS, f"shift_{number}") for number in range(1, 4))]
        for number in range(self.LATENCY - 1):
            with m.If(valid[number]):
                m.d.sync += [
                    int8[number + 1].eq(int8[number]),
                    relu[number + 1].eq(relu[number]),
                    plain[number + 1].eq(plain[number]),
                ]
        for number in range(3):
            with m.If(valid[number]):
                m.d.sync += shift[number + 1].eq(shift[number])

        low, high = self._multiply(m, valid[:2], biased, self.parameters.multiplier)
        product = _stage(signed(BIASED.width + MULTIPLIER_BITS), "product")
        with m.If(valid[2]):
            m.d.sync += product.eq(low + (high << LOW_BITS))

        # One bit more than the result: the last bit shifted out, by which it is rounded. With shift 0 that
        # is a zero shifted in, and rounds nothing.
        doubled = _stage(signed(product.shape().width + 1), "doubled")
        with m.If(valid[3]):
            m.d.sync += doubled.eq((product << 1) >> shift[3])

        with m.If(valid[4]):
            m.d.sync += self.result.eq(
                Mux(
                    int8[4],
                    _rounded_int8(doubled, relu=relu[4])[:8].replicate(4),
                    _clamped_int32(plain[4], relu=relu[4]),
                )
            )
        return m

    def _multiply(self, m, valid, biased, multiplier):
        """Multiply in two parts; for another form of the multipliers.

        Parameters
        ----------
        m : Module
            Of the requantizer.
        valid : two Signals
            The factors count in this cycle, or in the cycle before.
        biased : signed(33)
        multiplier : unsigned(16)

        Returns
        -------
        low, high : Value
            Two cycles later, the products with the lower ``LOW_BITS`` of ``biased`` and with the others.
        """
        factor, multiplier_1 = _stage(BIASED, "factor"), _stage(MULTIPLIER_BITS, "multiplier_1")
        low = _stage(LOW_BITS + MULTIPLIER_BITS, "low")
        high = _stage(signed(BIASED.width - LOW_BITS + MULTIPLIER_BITS), "high")
        with m.If(valid[0]):
            m.d.sync += [factor.eq(biased), multiplier_1.eq(multiplier)]
        with m.If(valid[1]):
            m.d.sync += [
                low.eq(factor[:LOW_BITS] * multiplier_1),
                high.eq(factor[LOW_BITS:].as_signed() * multiplier_1),
            ]
        return low, high


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

    requantizer = Requantizer
    """Makes a requantizer; for another form of it."""

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
            m.submodules[f"lane_{lane}"] = requantizer = self.requantizer()
            m.d.comb += [
                requantizer.valid.eq(self.valid),
                requantizer.accumulator.eq(self.accumulators[lane]),
                requantizer.parameters.eq(self.parameters[lane]),
                requantizer.int8.eq(self.int8),
                requantizer.relu.eq(self.relu),
                self.results[lane].eq(requantizer.result),
            ]
        return m


def _stage(shape, name):
    """A register of the pipeline."""
    return Signal(shape, name=name, reset_less=True)


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
