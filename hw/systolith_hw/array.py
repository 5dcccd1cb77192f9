"""The systolic array: a grid of processing elements."""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from .config import ACCUMULATOR_BITS
from .pe import ProcessingElement
from .skew import Skew

__all__ = ["SystolicArray", "WeightLoad", "column_lead", "psum_latency", "swap_to_load"]


def psum_latency(rows):
    """Cycles from a row of A to its sum in column 0 of an array of so many rows."""
    return ProcessingElement.LATENCY + rows - 1


def swap_to_load(rows, column_tiles):
    """Cycles from a swap to the first line of the next weights.

    The swap is in row ``r`` of tile ``t`` after ``r + t`` cycles. A line overwrites a cycle after it came,
    and may do so in the cycle of the swap: the first column of weights in the last row, the first row of
    them in the last tile.
    """
    return max(rows, column_tiles) - SystolicArray.LOAD_TO_SWAP


def column_lead(columns, column_tiles):
    """Cycles by which weights that are loaded by column must come earlier than those loaded by row.

    A swap is in the last column as early as in the first one of its tile.
    """
    return columns - column_tiles


class WeightLoad(data.StructLayout):
    """One line of a weight tile on its way into the array.

    Members
    -------
    valid : 1
    by_column : 1
        Clear: ``weights[c]`` are row ``index`` of the tile (K×N). Set: ``weights[r]`` are column ``index``
        of the tile (N×K).
    index : range(max(rows, columns))
    weights : ArrayLayout(signed(operand_bits), max(rows, columns))
    """

    def __init__(self, *, rows, columns, operand_bits):
        lanes = max(rows, columns)
        super().__init__(
            {
                "valid": 1,
                "by_column": 1,
                "index": range(lanes),
                "weights": data.ArrayLayout(signed(operand_bits), lanes),
            }
        )


class SystolicArray(wiring.Component):
    """Weight-stationary array of R×C processing elements.

    Activations enter row ``r`` skewed by ``r`` cycles and move right, past ``tile_columns`` elements a
    cycle; partial sums move down. Weights are broadcast along the array, a line of them a cycle, into the
    registers behind those in use. ``swap`` makes them the ones in use; it moves through the array as a
    wavefront with its activations, so

    - weights whose line ``j`` is loaded in cycle ``t + j`` may be swapped in from ``t + LOAD_TO_SWAP`` on,
      by column from ``column_lead`` cycles later, or ``LOAD_TO_SWAP`` cycles after their last line;
    - after a swap in cycle ``t`` the next weights may be loaded from ``t + swap_to_load`` on.

    Parameters
    ----------
    rows, columns : int
        R and C.
    tile_columns : int
        Columns of a tile of elements, which share the registers of activation and swap.
    operand_bits : int
        Width of activations and weights.
    psum_bits : int
        Width of the partial sums; they wrap.

    Members
    -------
    a : ArrayLayout(signed(operand_bits), rows)
        One row of A, aligned.
    swap : 1
        This row of A is the first that uses the weights loaded last.
    load : WeightLoad
    psum : ArrayLayout(signed(32), columns)
        Column ``c`` of the result row, ``latency + c // tile_columns`` cycles after its row of A.

    Latency
    -------
    ``latency`` cycles from ``a`` to ``psum[0]``. No back-pressure.
    """

    LOAD_TO_SWAP = 2

    element = ProcessingElement
    """Makes a processing element; for another form of it."""

    def __init__(self, *, rows, columns, operand_bits, psum_bits, tile_columns=1):
        self._rows = rows
        self._columns = columns
        self._tile_columns = tile_columns
        self._operand_bits = operand_bits
        self._psum_bits = psum_bits
        super().__init__(
            {
                "a": In(data.ArrayLayout(signed(operand_bits), rows)),
                "swap": In(1),
                "load": In(WeightLoad(rows=rows, columns=columns, operand_bits=operand_bits)),
                "psum": Out(data.ArrayLayout(signed(ACCUMULATOR_BITS), columns)),
            }
        )

    @property
    def latency(self):
        """Cycles from a row of A to its sum in column 0."""
        return psum_latency(self._rows)

    @property
    def swap_to_load(self):
        """Cycles from a swap to the first line of the next weights."""
        return swap_to_load(self._rows, self._columns // self._tile_columns)

    @property
    def column_lead(self):
        """Cycles by which weights that are loaded by column must come earlier than those loaded by row."""
        return column_lead(self._columns, self._columns // self._tile_columns)

    def elaborate(self, platform):
        m = Module()
        m.submodules.skew = skew = Skew(signed(self._operand_bits), lanes=self._rows)
        m.d.comb += skew.i.eq(self.a)

        weights = Signal.like(self.load.weights, reset_less=True)
        load_row = Signal(self._rows)
        load_column = Signal(self._columns)
        m.d.sync += [
            weights.eq(self.load.weights),
            load_row.eq((self.load.valid & ~self.load.by_column) << self.load.index),
            load_column.eq((self.load.valid & self.load.by_column) << self.load.index),
        ]

        elements = self._elements(m)
        above = [0] * self._columns
        column_tiles = self._columns // self._tile_columns
        swaps = [self.swap]
        for cycle in range(1, self._rows + column_tiles - 1):
            swap = Signal(name=f"swap_{cycle}", reset_less=True)
            m.d.sync += swap.eq(swaps[-1])
            swaps.append(swap)
        for r in range(self._rows):
            a_in = skew.o[r]
            for tile in range(column_tiles):
                a = Signal(a_in.shape(), name=f"a_{r}_{tile}", reset_less=True)
                m.d.sync += a.eq(a_in)
                for c in range(tile * self._tile_columns, (tile + 1) * self._tile_columns):
                    pe = elements[r][c]
                    m.submodules[f"pe_{r}_{c}"] = pe
                    m.d.comb += [
                        pe.a_in.eq(a_in),
                        pe.a.eq(a),
                        pe.swap_in.eq(swaps[r + tile]),
                        pe.load.eq(load_row[r] | load_column[c]),
                        pe.weight.eq(Mux(load_column[c], weights[r], weights[c])),
                        pe.psum_in.eq(above[c]),
                    ]
                    above[c] = pe.psum_out
                a_in = a
        for c in range(self._columns):
            m.d.comb += self.psum[c].eq(above[c])
        return m

    def _elements(self, m):
        """The processing elements by row and column; for another form, in which they share something.

        Parameters
        ----------
        m : Module
            Of the array, which takes in what the elements share.
        """
        widths = {"operand_bits": self._operand_bits, "psum_bits": self._psum_bits}
        return [[self.element(**widths) for _ in range(self._columns)] for _ in range(self._rows)]
