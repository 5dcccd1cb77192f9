"""Lattice iCE40 UltraPlus: half an SB_MAC16 in every processing element, SPRAM, and SB_PLL40."""

import dataclasses

from amaranth.hdl import C, Cat, ClockSignal, Instance, Module, Mux, Signal, signed

from systolith_hw.accelerator import Lowering
from systolith_hw.accumulators import AccumulatorBank, Accumulators
from systolith_hw.array import SystolicArray
from systolith_hw.pe import ProcessingElement

from .interface import Pll, Vendor, choose
from .single_port import SinglePortRam, SinglePortStore

__all__ = ["ICE40UP", "Ice40Accumulators", "Ice40Array", "Ice40Pll", "SpramRam", "SpramStore", "ice40_pll"]

PFD_HZ = (10e6, 133e6)
VCO_HZ = (533e6, 1066e6)
OUTPUT_HZ = (16e6, 275e6)
FILTER_LIMITS_HZ = (17e6, 26e6, 44e6, 66e6, 101e6)
"""Upper bounds of the phase detector's clock for the filter ranges 1, 2, …"""

SPRAM_WORDS = 16384
SPRAM_BITS = 16
NIBBLE = 4

_ADD_PRODUCT, _ADD_C_OR_D = C(1, 2), C(1, 1)
_OUTPUT_SUM_REGISTER, _OUTPUT_PRODUCT = C(1, 2), C(2, 2)
"""Settings of an SB_MAC16."""


class Ice40Element(ProcessingElement):
    """A processing element whose multiplier is outside.

    Members
    -------
    next_weight, weight_in_use : signed(operand_bits)
        To the multiplier, which takes one of them.
    product : signed(2 * operand_bits)
        From it, or its sum.
    """

    def __init__(self, *, operand_bits, psum_bits):
        super().__init__(operand_bits=operand_bits, psum_bits=psum_bits)
        self.next_weight = Signal(signed(operand_bits))
        self.weight_in_use = Signal(signed(operand_bits), reset_less=True)
        self.product = Signal(signed(2 * operand_bits))

    def _multiply(self, m, next_weight):
        m.d.comb += self.next_weight.eq(next_weight)
        with m.If(self.swap_in):
            m.d.sync += self.weight_in_use.eq(next_weight)
        return self.product


class Ice40TopElement(Ice40Element):
    """One of the first row, to whose product nothing is added: its multiplier makes the sum."""

    def _add(self, m, product):
        return product


class Ice40Array(SystolicArray):
    """The array in which two neighbours of a row share an SB_MAC16: two multipliers with output registers.

    Where the two are of one tile, its input registers hold their activation and their weights in use; in
    the first row, the registers behind its adders hold their sums.
    """

    def _elements(self, m):
        widths = {"operand_bits": self._operand_bits, "psum_bits": self._psum_bits}
        elements = []
        for r in range(self._rows):
            element = Ice40Element if r else Ice40TopElement
            elements.append([element(**widths) for _ in range(self._columns)])
            for c in range(0, self._columns, 2):
                m.submodules[f"multiplier_{r}_{c}"] = _dual_multiplier(
                    *elements[r][c : c + 2], input_registers=self._tile_columns > 1, sum_registers=r == 0
                )
        return elements


def _dual_multiplier(low, high, *, input_registers, sum_registers):
    """An SB_MAC16 that multiplies for two elements.

    Parameters
    ----------
    low, high : Ice40Element
    input_registers : bool
        It holds their activations and weights in use; there is one enable for both weights, so they must
        swap in the same cycle.
    sum_registers : bool
        The products come a cycle later, through the registers behind its adders, which add nothing.
    """
    output = _OUTPUT_SUM_REGISTER if sum_registers else _OUTPUT_PRODUCT
    if input_registers:
        weights, activations = Cat(low.next_weight, high.next_weight), Cat(low.a_in, high.a_in)
    else:
        weights, activations = Cat(low.weight_in_use, high.weight_in_use), Cat(low.a, high.a)
    return Instance(
        "SB_MAC16",
        p_MODE_8x8=C(1),
        p_A_SIGNED=C(1),
        p_B_SIGNED=C(1),
        p_A_REG=C(input_registers, 1),
        p_B_REG=C(input_registers, 1),
        p_TOPADDSUB_LOWERINPUT=_ADD_PRODUCT,
        p_BOTADDSUB_LOWERINPUT=_ADD_PRODUCT,
        p_TOPADDSUB_UPPERINPUT=_ADD_C_OR_D,
        p_BOTADDSUB_UPPERINPUT=_ADD_C_OR_D,
        p_TOPOUTPUT_SELECT=output,
        p_BOTOUTPUT_SELECT=output,
        p_TOP_8x8_MULT_REG=C(1),
        p_BOT_8x8_MULT_REG=C(1),
        i_CLK=ClockSignal(),
        i_CE=C(1),
        i_A=weights,
        i_B=activations,
        i_C=C(0, 16),
        i_D=C(0, 16),
        i_AHOLD=~low.swap_in if input_registers else C(0),
        **{f"i_{name}HOLD": C(0) for name in "BCD"},
        **{
            f"i_{name}{half}": C(0)
            for name in ("IRST", "ORST", "OLOAD", "ADDSUB", "OHOLD")
            for half in ("TOP", "BOT")
        },
        i_CI=C(0),
        i_ACCUMCI=C(0),
        i_SIGNEXTIN=C(0),
        o_O=Cat(low.product, high.product),
    )


class Ice40AccumulatorBank(AccumulatorBank):
    """Accumulators that are read a cycle later and added to at once.

    The clock is slow enough. A cell of the adder starts the sum anew, too, and holds it.
    """

    def _accumulate(self, m, accumulated, arrived, adding):
        total = Signal(self.psum.shape())
        m.d.comb += [
            accumulated.addr.eq(Cat(arrived.row, arrived.half)),
            accumulated.en.eq(arrived.valid),
        ]
        for column, psum in enumerate(self.psum):
            m.d.sync += total[column].eq(Mux(adding.first, psum, accumulated.data[column] + psum))
        return total


class Ice40Accumulators(Accumulators):
    """The accumulators without a register behind their memory."""

    bank = Ice40AccumulatorBank


class SpramStore(SinglePortStore):
    """Words in SPRAM: blocks side by side for the width, one behind the other for the depth.

    What was read stays until the next read or write.
    """

    def elaborate(self, platform):
        m = Module()
        offset_bits = SPRAM_WORDS.bit_length() - 1
        offset, block = self.address[:offset_bits], self.address[offset_bits:]
        blocks = -(-self._depth // SPRAM_WORDS)
        read_block = Signal.like(block)
        with m.If(self.enable):
            m.d.sync += read_block.eq(block)
        outputs = []
        for number in range(blocks):
            words = []
            for part in range(self._data_bits // SPRAM_BITS):
                word = Signal(SPRAM_BITS, name=f"word_{number}_{part}")
                strobe = self.write_strobe[part * SPRAM_BITS // 8 :][: SPRAM_BITS // 8]
                m.submodules[f"spram_{number}_{part}"] = Instance(
                    "SB_SPRAM256KA",
                    i_CLOCK=ClockSignal(),
                    i_ADDRESS=offset,
                    i_DATAIN=self.write_data[part * SPRAM_BITS :][:SPRAM_BITS],
                    i_MASKWREN=Cat(bit.replicate(8 // NIBBLE) for bit in strobe),
                    i_WREN=self.write_strobe.any(),
                    i_CHIPSELECT=self.enable & (block == number),
                    i_STANDBY=C(0),
                    i_SLEEP=C(0),
                    i_POWEROFF=C(1),
                    o_DATAOUT=word,
                )
                words.append(word)
            outputs.append(Cat(words))
        with m.Switch(read_block):
            for number, words in enumerate(outputs):
                with m.Case(number):
                    m.d.comb += self.read_data.eq(words)
        return m


class SpramRam(SinglePortRam):
    """Device memory in SPRAM."""

    store = SpramStore


@dataclasses.dataclass(frozen=True, kw_only=True)
class Ice40Pll(Pll):
    """An SB_PLL40_PAD with simple feedback."""

    input_hz: float
    divr: int
    divf: int
    divq: int

    @property
    def output_hz(self):
        return self.vco_hz / (1 << self.divq)

    @property
    def vco_hz(self):
        """The oscillator's own frequency."""
        return self.input_hz * (self.divf + 1) / (self.divr + 1)

    @property
    def filter_range(self):
        """The loop filter for the phase detector's clock."""
        return 1 + sum(self.input_hz / (self.divr + 1) >= limit for limit in FILTER_LIMITS_HZ)

    def instances(self, *, clock_in, clock_out, locked):
        return [
            Instance(
                "SB_PLL40_PAD",
                p_FEEDBACK_PATH="SIMPLE",
                p_DIVR=C(self.divr, 4),
                p_DIVF=C(self.divf, 7),
                p_DIVQ=C(self.divq, 3),
                p_FILTER_RANGE=C(self.filter_range, 3),
                i_PACKAGEPIN=clock_in,
                i_RESETB=C(1),
                i_BYPASS=C(0),
                o_PLLOUTGLOBAL=clock_out,
                o_LOCK=locked,
            )
        ]


def ice40_pll(input_hz, output_hz):
    """Settings of an SB_PLL40, its phase detector as fast as may be.

    Parameters
    ----------
    input_hz, output_hz : float

    Raises
    ------
    ClockError
        If there are none.
    """
    every = (
        Ice40Pll(input_hz=input_hz, divr=divr, divf=divf, divq=divq)
        for divr in range(16)
        if PFD_HZ[0] <= input_hz / (divr + 1) <= PFD_HZ[1]
        for divf in range(128)
        for divq in range(1, 7)
    )
    candidates = [
        pll
        for pll in every
        if VCO_HZ[0] <= pll.vco_hz <= VCO_HZ[1] and OUTPUT_HZ[0] <= pll.output_hz <= OUTPUT_HZ[1]
    ]
    return choose(candidates, output_hz)


ICE40UP = Vendor(
    name="ice40",
    lowering=Lowering(array=Ice40Array, accumulators=Ice40Accumulators),
    ram=SpramRam,
    pll=ice40_pll,
    pll_at_pad=True,
    multipliers_per_pair=1,
    multipliers_per_product=0,
    cells_per_lut=0.9,
)
"""iCE40 UltraPlus."""
