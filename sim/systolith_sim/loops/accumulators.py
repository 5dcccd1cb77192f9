"""The accumulator memory as loops."""

from amaranth.hdl import ClockSignal, Instance, Module, ResetSignal
from systolith_hw.accumulators import AccumulatorBank, Accumulators

from .array import power_of_two

__all__ = ["LoopAccumulators", "accumulators_source"]

MODULE = "systolith_loop_accumulators"


class LoopAccumulators(Accumulators):
    """:class:`.Accumulators` whose body is :func:`accumulators_source`."""

    def elaborate(self, platform):
        m = Module()
        m.submodules.loops = Instance(
            MODULE,
            i_clk=ClockSignal(),
            i_rst=ResetSignal(),
            i_valid=self.access.valid,
            i_first=self.access.first,
            i_half=self.access.half,
            i_row=self.access.row,
            i_tile_end=self.access.tile_end,
            i_psum=self.psum,
            i_read_enable=self.read_enable,
            i_read_half=self.read_half,
            i_read_row=self.read_row,
            o_read_data=self.read_data,
            o_tile_done=self.tile_done,
        )
        return m


def accumulators_source(*, columns, rows, delay_cycles):
    """SystemVerilog of the accumulators.

    ``accesses`` are those of the last cycles: where the row begins, and whether it is the last of a tile,
    the first of a sum, and an access at all. Column ``c`` reads for the one whose sum comes a cycle later,
    adds for the one before it, and writes for the one before that. (It reads a cycle later than the memory,
    which makes no difference as long as accesses are as far apart as they must be.)

    Parameters
    ----------
    columns : int
    rows : int
        Of each half.
    delay_cycles : int
        As for :class:`.Accumulators`.
    """
    reading = delay_cycles - 1
    adding, writing = reading + 1, reading + AccumulatorBank.HAZARD_CYCLES - AccumulatorBank.READ_CYCLES
    stages = writing + columns
    row_bits = (rows - 1).bit_length()
    over_columns = f"for (int unsigned c = 0; c < {columns}; c++)"
    inputs = "\n      ".join(f"partial[{c}] = psum[{32 * c}+:32];" for c in range(columns))
    outputs = "\n      ".join(f"read_data[{32 * c}+:32] <= sums[address + {c}];" for c in range(columns))
    return f"""
module {MODULE} (
  input clk,
  input rst,
  input valid,
  input first,
  input half,
  input [{row_bits - 1}:0] row,
  input tile_end,
  input [{32 * columns - 1}:0] psum,
  input read_enable,
  input read_half,
  input [{row_bits - 1}:0] read_row,
  output logic [{32 * columns - 1}:0] read_data,
  output logic tile_done
);
  int sums [{power_of_two(2 * rows * columns)}];
  int old [{columns}], total [{columns}], partial [{columns}];
  int unsigned accesses [{power_of_two(stages)}], busy_cycles;
  task automatic step();
    int unsigned address;
    if (valid) busy_cycles = {stages + 1};
    if (busy_cycles != 0) begin
      busy_cycles = busy_cycles - 1;
      for (int unsigned i = {stages - 1}; i > 0; i--) accesses[i] = accesses[i - 1];
      accesses[0] = valid ? 32'({{half, row}}) * {8 * columns} + 32'({{tile_end, first, 1'b1}}) : 0;
      {inputs}
      {over_columns}
        if (accesses[c + {writing}][0]) sums[(accesses[c + {writing}] >> 3) + c] = total[c];
      {over_columns} total[c] = (accesses[c + {adding}][1] ? 0 : old[c]) + partial[c];
      {over_columns}
        if (accesses[c + {reading}][0]) old[c] = sums[(accesses[c + {reading}] >> 3) + c];
      tile_done <= accesses[{writing + columns - 2}][2];
    end
    if (rst) begin
      busy_cycles = 0;
      for (int unsigned i = 0; i < {stages}; i++) accesses[i] = 0;
      tile_done <= 0;
    end
    if (read_enable) begin
      address = 32'({{read_half, read_row}}) * {columns};
      {outputs}
    end
  endtask
  always @(posedge clk) step();
endmodule
"""
