"""The accumulator memory as loops."""

from amaranth.hdl import ClockSignal, Instance, Module, ResetSignal
from systolith_hw.accumulators import AccumulatorBank, Accumulators

__all__ = ["LoopAccumulators", "accumulators_source"]

MODULE = "systolith_loop_accumulators"


class LoopAccumulators(Accumulators):
    """:class:`.Accumulators` whose banks are :func:`accumulators_source`."""

    def elaborate(self, platform):
        m = Module()
        access = self._delay(m, self.access, self._delay_cycles - 1, "access")
        m.submodules.loops = Instance(
            MODULE,
            i_clk=ClockSignal(),
            i_rst=ResetSignal(),
            i_valid=access.valid,
            i_first=access.first,
            i_half=access.half,
            i_row=access.row,
            i_psum=self.psum,
            i_read_enable=self.read_enable,
            i_read_half=self.read_half,
            i_read_row=self.read_row,
            o_read_data=self.read_data,
        )
        cycles = self._config.columns + AccumulatorBank.HAZARD_CYCLES - 2
        last = self._delay(m, access, cycles, "access_write")
        m.d.comb += self.tile_done.eq(last.valid & last.tile_end)
        return m


def accumulators_source(*, columns, rows):
    """SystemVerilog of the banks.

    Column ``c`` reads for the access of ``c`` cycles ago, adds for the one before it, and writes for the one
    before that.

    Parameters
    ----------
    columns : int
    rows : int
        Of each half.
    """
    stages = columns + 2
    row_bits = (rows - 1).bit_length()
    outputs = "\n      ".join(f"read_data[{32 * c}+:32] <= sums[address + {c}];" for c in range(columns))
    return f"""
module {MODULE} (
  input clk,
  input rst,
  input valid,
  input first,
  input half,
  input [{row_bits - 1}:0] row,
  input [{32 * columns - 1}:0] psum,
  input read_enable,
  input read_half,
  input [{row_bits - 1}:0] read_row,
  output logic [{32 * columns - 1}:0] read_data
);
  logic signed [31:0] sums [{2 * rows * columns}];
  logic signed [31:0] old [{columns}], total [{columns}], partial [{columns}];
  int unsigned places [{stages}];
  logic [{stages - 1}:0] valids, firsts;
  task automatic step();
    int unsigned address;
    if (valid || valids != 0) begin
      for (int unsigned c = 0; c < {columns}; c++) partial[c] = psum[32*c+:32];
      for (int unsigned i = {stages - 1}; i > 0; i--) places[i] = places[i - 1];
      places[0] = 32'({{half, row}}) * {columns};
      valids = {{valids[{stages - 2}:0], valid}};
      firsts = {{firsts[{stages - 2}:0], first}};
      for (int unsigned c = 0; c < {columns}; c++) begin
        if (valids[c + 2]) sums[places[c + 2] + c] = total[c];
        total[c] = (firsts[c + 1] ? 0 : old[c]) + partial[c];
        if (valids[c]) old[c] = sums[places[c] + c];
      end
    end
    if (rst) valids = 0;
    if (read_enable) begin
      address = 32'({{read_half, read_row}}) * {columns};
      {outputs}
    end
  endtask
  always @(posedge clk) step();
endmodule
"""
