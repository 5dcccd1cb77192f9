"""The requantizer lanes as loops."""

from amaranth.hdl import ClockSignal, Instance, Module, ResetSignal
from systolith_hw.requantize import RequantizerLanes

__all__ = ["LoopLanes", "lanes_source"]

MODULE = "systolith_loop_lanes"


class LoopLanes(RequantizerLanes):
    """:class:`.RequantizerLanes` whose body is :func:`lanes_source`."""

    def elaborate(self, platform):
        m = Module()
        m.submodules.loops = Instance(
            MODULE,
            i_clk=ClockSignal(),
            i_rst=ResetSignal(),
            i_valid=self.valid,
            i_accumulators=self.accumulators,
            i_parameters=self.parameters,
            i_int8=self.int8,
            i_relu=self.relu,
            o_results=self.results,
        )
        return m


def lanes_source(*, lanes):
    """SystemVerilog of so many lanes.

    What takes the pipeline five cycles is done in one and then delayed by four.
    """
    over_lanes = f"for (int unsigned i = 0; i < {lanes}; i++)"
    outputs = "\n      ".join(f"results[{32 * i}+:32] <= result_4[{i}];" for i in range(lanes))
    return f"""
module {MODULE} (
  input clk,
  input rst,
  input valid,
  input [{32 * lanes - 1}:0] accumulators,
  input [{64 * lanes - 1}:0] parameters,
  input int8,
  input relu,
  output logic [{32 * lanes - 1}:0] results
);
  logic signed [31:0] result_1 [{lanes}], result_2 [{lanes}], result_3 [{lanes}], result_4 [{lanes}];
  logic [3:0] valids;
  task automatic step();
    longint low, high, biased, doubled;
    if (valids[3]) begin
      {outputs}
    end
    if (valids[2]) {over_lanes} result_4[i] = result_3[i];
    if (valids[1]) {over_lanes} result_3[i] = result_2[i];
    if (valids[0]) {over_lanes} result_2[i] = result_1[i];
    if (valid) begin
      low = relu ? 0 : int8 ? -128 : -64'sd2147483648;
      high = int8 ? 127 : 64'sd2147483647;
      {over_lanes} begin
        biased = longint'(signed'(accumulators[32*i+:32])) + longint'(signed'(parameters[64*i+:32]));
        if (int8) begin
          doubled = (biased * longint'(parameters[64*i+32+:16]) * 2) >>> parameters[64*i+48+:6];
          biased = (doubled + 1) >>> 1;
        end
        biased = biased < low ? low : biased > high ? high : biased;
        result_1[i] = int8 ? {{4{{biased[7:0]}}}} : 32'(biased);
      end
    end
    valids = rst ? 0 : {{valids[2:0], valid}};
  endtask
  always @(posedge clk) step();
endmodule
"""
