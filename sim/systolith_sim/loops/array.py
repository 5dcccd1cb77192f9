"""The systolic array as loops."""

from amaranth.hdl import ClockSignal, Instance, Module, ResetSignal
from systolith_hw.array import SystolicArray

__all__ = ["LoopArray", "array_source"]

MODULE = "systolith_loop_array"


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


def array_source(*, rows, columns, operand_bits):
    """SystemVerilog of the array.

    One unpacked array a row and kind of register; a step updates them in the order in which every one reads
    the old value of what it depends on. Registers are 32 bits wide whatever they hold: signed arithmetic on
    narrower ones costs more than it saves. The bottom row's sums, which leave the module, are assigned
    without blocking.

    Parameters
    ----------
    rows, columns : int
    operand_bits : int
    """
    lanes = max(rows, columns)
    waves = rows + columns - 1
    index_bits = (lanes - 1).bit_length()
    over_columns = f"for (int unsigned c = 0; c < {columns}; c++)"

    declarations = [
        f"int weights [{lanes}], swaps [{waves}], bottom [{columns}];",
        f"logic [{waves - 1}:0] swapping;",
        "logic load_row, load_column;",
        f"logic [{index_bits - 1}:0] load_index;",
    ]
    for r in range(rows):
        registers = ["a", "next", "active", "product", *(["psum"] if r < rows - 1 else [])]
        declarations.append("int " + ", ".join(f"{name}_{r} [{columns}]" for name in registers) + ";")
        if r:
            declarations.append(f"int skew_{r} [{r}];")

    step = []
    for r in reversed(range(rows)):
        target = f"psum_{r}" if r < rows - 1 else "bottom"
        above = f"psum_{r - 1}[c] + " if r else ""
        step.append(f"{over_columns} {target}[c] = {above}product_{r}[c];")
    step += [f"psum[{32 * c}+:32] <= bottom[{c}];" for c in range(columns)]
    step += [f"{over_columns} product_{r}[c] = a_{r}[c] * active_{r}[c];" for r in range(rows)]

    step += ["swaps[0] = {32{swap}};", "if (swap || swapping != 0) begin"]
    for r in range(rows):
        kept, taken = f"active_{r}[c] & ~swaps[c + {r}]", f"next_{r}[c] & swaps[c + {r}]"
        step.append(f"  {over_columns} active_{r}[c] = ({kept}) | ({taken});")
    step += [
        f"  for (int unsigned i = {waves - 1}; i > 0; i--) swaps[i] = swaps[i - 1];",
        "end",
        f"swapping = {{swapping[{waves - 2}:0], swap}};",
    ]

    step.append("if (load_column) begin")
    step += [f"  next_{r}[load_index] = weights[{r}];" for r in range(rows)]
    step += ["end", "if (load_row) case (load_index)"]
    for r in range(rows):
        step.append(f"  {index_bits}'d{r}: {over_columns} next_{r}[c] = weights[c];")
    step += [
        "  default: ;",
        "endcase",
        "load_row = load_valid & ~load_by_column & ~rst;",
        "load_column = load_valid & load_by_column & ~rst;",
        "load_index = load_index_in;",
        f"if (load_valid) for (int unsigned i = 0; i < {lanes}; i++)",
        f"  weights[i] = 32'(signed'(load_weights[{operand_bits}*i+:{operand_bits}]));",
    ]

    for r in range(rows):
        entering = f"32'(signed'(a[{operand_bits * r}+:{operand_bits}]))"
        step += [
            f"for (int unsigned c = {columns - 1}; c > 0; c--) a_{r}[c] = a_{r}[c - 1];",
            f"a_{r}[0] = " + (f"skew_{r}[{r - 1}];" if r else f"{entering};"),
        ]
        if r:
            step += [
                f"for (int unsigned i = {r - 1}; i > 0; i--) skew_{r}[i] = skew_{r}[i - 1];",
                f"skew_{r}[0] = {entering};",
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
  input [{lanes * operand_bits - 1}:0] load_weights,
  output logic [{32 * columns - 1}:0] psum
);
  {_lines(declarations, 2)}
  task automatic step();
    {_lines(step, 4)}
  endtask
  always @(posedge clk) step();
endmodule
"""


def _lines(lines, indent):
    return ("\n" + " " * indent).join(lines)
