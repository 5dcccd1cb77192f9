"""One processing element: two weights, one multiplier, one adder."""

from amaranth.hdl import Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["ProcessingElement"]


class ProcessingElement(wiring.Component):
    """Weight-stationary processing element.

    The weight in use and its successor are separate registers: :attr:`load` writes the successor while
    :attr:`swap_in`, which travels with the first activation of a pass, makes it the weight in use. A load
    in the cycle of a swap takes effect after it.

    Parameters
    ----------
    operand_bits : int
        Width of activation and weight.
    psum_bits : int
        Width of the partial sum; it wraps.

    Members
    -------
    a_in, a : signed(operand_bits)
        Activation and, one cycle later, the same from a register that elements may share.
    swap_in : 1
        Comes with ``a_in``.
    weight : signed(operand_bits)
        Next weight.
    load : 1
        Take ``weight``.
    psum_in, psum_out : signed(psum_bits)
        Partial sum from above and to below. ``psum_in`` belongs to the activation that came in
        ``LATENCY - 1`` cycles ago.

    Latency
    -------
    LATENCY cycles from ``a_in`` to ``psum_out``. No back-pressure.
    """

    LATENCY = 3

    def __init__(self, *, operand_bits, psum_bits):
        super().__init__(
            {
                "a_in": In(signed(operand_bits)),
                "a": In(signed(operand_bits)),
                "swap_in": In(1),
                "weight": In(signed(operand_bits)),
                "load": In(1),
                "psum_in": In(signed(psum_bits)),
                "psum_out": Out(signed(psum_bits)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        next_weight = Signal.like(self.weight, reset_less=True)

        with m.If(self.load):
            m.d.sync += next_weight.eq(self.weight)
        product = self._multiply(m, next_weight)
        m.d.comb += self.psum_out.eq(self._add(m, product))
        return m

    def _multiply(self, m, next_weight):
        """Hold the weight in use and multiply; for another form of the multiplier.

        Parameters
        ----------
        m : Module
            Of the element.
        next_weight : Signal
            The weight in use from the cycle after ``swap_in`` on.

        Returns
        -------
        Signal
            The product of :attr:`a` and the weight in use, one cycle ago.
        """
        active_weight = Signal.like(self.weight, reset_less=True)
        product = Signal(signed(2 * len(self.weight)), reset_less=True)
        with m.If(self.swap_in):
            m.d.sync += active_weight.eq(next_weight)
        m.d.sync += product.eq(self.a * active_weight)
        return product

    def _add(self, m, product):
        """Add to the partial sum from above; for another form of the adder.

        Parameters
        ----------
        m : Module
            Of the element.
        product : Signal
            From :meth:`_multiply`.

        Returns
        -------
        Signal
            The sum, one cycle ago.
        """
        psum = Signal.like(self.psum_in, reset_less=True)
        m.d.sync += psum.eq(self.psum_in + product)
        return psum
