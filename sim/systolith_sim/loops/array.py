"""The systolic array as loops."""

from amaranth.hdl import ClockSignal, Instance, Module, ResetSignal
from systolith_hw.array import SystolicArray

__all__ = ["LoopArray", "array_source", "power_of_two"]

MODULE = "systolith_loop_array"
WORD_BITS = 32


class LoopArray(SystolicArray):
    """:class:`.SystolicArray` whose body is :func:`array_source`."""

    def elaborate(self, platform):
        m = Module()
        m.submodules.loops = Instance(
            MODULE,
            i_clk=ClockSignal(),
            i_rst=ResetSignal(),
            i_a=self.a,
            i_swap=self.swap,
            i_load_valid=self.load.valid,
            i_load_by_column=self.load.by_column,
            i_load_index_in=self.load.index,
            i_load_weights=self.load.weights,
            o_psum=self.psum,
        )
        return m


def power_of_two(size):
    """The least power of two from ``size`` on: an array of that many is indexed without a test of bounds."""
    return 1 << (size - 1).bit_length()


def array_source(*, rows, columns, operand_bits):
    """SystemVerilog of the array.

    The elements of a diagonal, those with the same r + c, use activations that entered together and swap
    their weights together. So the elements are kept by diagonals: diagonal d, lane r is row r and column
    d - r, where those beyond the last column continue on the first diagonals. Then

    - ``a_at`` holds rows of A by when they entered, the latest at ``head``: nothing is skewed or moved right;
    - ``sums`` move on by one diagonal and one lane; lane 0 is the zero above the array;
    - a wave of weights being swapped in is a whole diagonal.

    A step updates the registers in the order in which every one reads the old value of what it depends on.
    All are 32 bits wide whatever they hold: signed arithmetic on narrower ones costs more than it saves.
    Factors are unsigned, which changes nothing in the low bits of a product: of signed ones Verilator extends
    the sign first.

    Parameters
    ----------
    rows, columns : int
    operand_bits : int
        A divisor of 32.
    """
    diagonals = max(rows, columns)
    waves = rows + columns - 1
    # The first diagonals also hold the elements that are a whole turn later.
    shared = min(rows, columns) - 1
    index_bits = (diagonals - 1).bit_length()
    slots = power_of_two(waves)
    slot_bits = slots.bit_length() - 1
    over_rows = f"for (int unsigned r = 0; r < {rows}; r++)"

    def entered(cycles):
        return f"a_at[{slot_bits}'(latest + {cycles})][r]"

    turn = f"diagonal = diagonal == {diagonals - 1} ? 0 : diagonal + 1;"
    in_range = ["" if size == diagonals else f" & load_index_in < {size}" for size in (rows, columns)]
    lanes, depth = power_of_two(rows), power_of_two(diagonals)
    declarations = [
        f"int unsigned a_at [{slots}][{lanes}];",
        f"int unsigned product [{depth}][{lanes}], active [{depth}][{lanes}], next [{depth}][{lanes}];",
        f"int sums [{depth}][{power_of_two(rows + 1)}], last [{lanes}], weights [{depth}];",
        f"int unsigned words [{_words(diagonals, operand_bits)}];",
        f"logic [{waves - 1}:0] swapping;",
        f"logic [{slot_bits - 1}:0] head;",
        "logic load_row, load_column;",
        f"logic [{index_bits - 1}:0] load_index;",
    ]
    step = [
        f"{over_rows} last[r] = sums[{diagonals - 1}][r];",
        f"for (int unsigned d = {diagonals - 1}; d > 0; d--)",
        f"  {over_rows} sums[d][r + 1] = sums[d - 1][r] + product[d][r];",
        f"{over_rows} sums[0][r + 1] = last[r] + product[0][r];",
        *(f"psum[{32 * c}+:32] <= sums[{(rows - 1 + c) % diagonals}][{rows}];" for c in range(columns)),
        "",
        # For a C++ compiler any store may have changed ``head``, but not a local variable.
        "latest = 32'(head);",
        f"for (int unsigned d = 0; d < {shared}; d++)",
        f"  {over_rows}",
        f"    product[d][r] = (r <= d ? {entered('d')} : {entered(f'd + {diagonals}')}) * active[d][r];",
        f"for (int unsigned d = {shared}; d < {diagonals}; d++)",
        f"  {over_rows} product[d][r] = {entered('d')} * active[d][r];",
        "",
        f"swapping = {{swapping[{waves - 2}:0], swap}};",
        *_swap(rows, columns),
        "",
        "diagonal = 32'(load_index);",
        "if (load_column)",
        f"  {over_rows} begin next[diagonal][r] = weights[r]; {turn} end",
        "if (load_row)",
        f"  for (int unsigned c = 0; c < {columns}; c++)",
        f"    begin next[diagonal][load_index] = weights[c]; {turn} end",
        f"load_row = load_valid & ~load_by_column & ~rst{in_range[0]};",
        f"load_column = load_valid & load_by_column & ~rst{in_range[1]};",
        "load_index = load_index_in;",
        "if (load_valid) begin",
        *(f"  {line}" for line in _unpack("load_weights", "weights", diagonals, operand_bits)),
        "end",
        "",
        f"head = head - {slot_bits}'d1;",
        *_unpack("a", "a_at[head]", rows, operand_bits),
    ]
    return f"""
module {MODULE} (
  input clk,
  input rst,
  input [{rows * operand_bits - 1}:0] a,
  input swap,
  input load_valid,
  input load_by_column,
  input [{index_bits - 1}:0] load_index_in,
  input [{diagonals * operand_bits - 1}:0] load_weights,
  output logic [{32 * columns - 1}:0] psum
);
  {_lines(declarations, 2)}
  task automatic step();
    int unsigned latest, diagonal;
    {_lines(step, 4)}
  endtask
  always @(posedge clk) step();
endmodule
"""


def _swap(rows, columns):
    """Statements that swap in the weights of every wave's elements; most waves are looked at by eights."""
    diagonals = max(rows, columns)
    waves = rows + columns - 1
    yield "if (swapping != 0) begin"
    for first in range(0, waves, 8):
        after = min(first + 8, waves)
        yield f"  if (swapping[{after - 1}:{first}] != 0) begin"
        for wave in range(first, after):
            bounds = [f"r <= {wave}"] if wave < rows - 1 else []
            bounds += [f"r > {wave - columns}"] if wave >= columns else []
            inside = f"if ({' && '.join(bounds)}) " if bounds else ""
            d = wave % diagonals
            yield f"    if (swapping[{wave}])"
            yield f"      for (int unsigned r = 0; r < {rows}; r++) {inside}active[{d}][r] = next[{d}][r];"
        yield "  end"
    yield "end"


def _unpack(source, target, lanes, bits):
    """Statements that sign-extend packed operands, a word of them at a time."""
    count, per_word = _words(lanes, bits), min(lanes, WORD_BITS // bits)
    for word in range(count):
        width = min(WORD_BITS, lanes * bits - WORD_BITS * word)
        yield f"words[{word}] = {WORD_BITS}'({source}[{WORD_BITS * word}+:{width}]);"
    yield f"for (int unsigned w = 0; w < {count}; w++) begin"
    for i in range(per_word):
        yield f"  {target}[{per_word} * w + {i}] = {WORD_BITS}'(signed'(words[w][{bits * i}+:{bits}]));"
    yield "end"


def _words(lanes, bits):
    return -(-lanes * bits // WORD_BITS)


def _lines(lines, indent):
    return ("\n" + " " * indent).join(lines)
